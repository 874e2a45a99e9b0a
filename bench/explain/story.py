"""One variant of a scenario: what happens when, how it is recorded, and what it is asked about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bench.explain.faults import Fault, Rollout
from bench.explain.system import System
from bench.explain.truth import Blame
from bench.explain.world import PAUSES, Plan

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Happening:
    """A change that somebody announced, at seconds from the begin."""

    at: float
    title: str
    kind: str = "deploy"
    service: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Flaws:
    """What is wrong with the telemetry itself. `skew` in seconds, `lost` and `rootless` as shares; `bare` spans have
    neither status nor kind nor attributes; `without` names files that are not there."""

    skew: float = 0.004
    lost: float = 0.003
    rootless: float = 0.005
    bare: bool = False
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Setting:
    """When and where a variant takes place. Times in seconds from `epoch`, an instant of a day that chance chose.

    The incident begins somewhat before its onset, as whoever asks does not know better.
    """

    system: System
    flow: str
    epoch: datetime
    onset: float
    incident: tuple[float, float]
    baseline: tuple[tuple[float, float], ...]
    rate: float
    # The share of traces that is kept.
    sampled: float
    random: Random

    @property
    def windows(self) -> tuple[tuple[float, float], ...]:
        """What is simulated: days before, and from the begin to the incident's end."""
        earlier = tuple(window for window in self.baseline if window[0] < 0)
        return (*earlier, (0.0, self.incident[1]))

    def at(self, seconds: float) -> datetime:
        return self.epoch + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens in a setting and what is true about it; see `truth.Truth` for the latter."""

    setting: Setting
    fault: str
    bad: Any
    faults: tuple[Fault, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    changes: tuple[Happening, ...] = ()
    culprits: tuple[tuple[Blame, ...], ...] = ()
    segments: tuple[Mapping[str, str], ...] | None = ()
    change: str | None = None
    flaws: Flaws = field(default_factory=Flaws)
    pauses: float = PAUSES
    load: bool = False

    @property
    def plan(self) -> Plan:
        setting = self.setting
        return Plan(
            setting.system,
            setting.flow,
            setting.windows,
            setting.rate,
            self.faults,
            self.rollouts,
            setting.sampled,
            self.pauses,
        )

    def and_also(self, *others: tuple[Rollout, Happening] | Happening) -> "Story":
        """The same with changes that have nothing to do with it."""
        rollouts = [other[0] for other in others if isinstance(other, tuple)]
        changes = [other[1] if isinstance(other, tuple) else other for other in others]
        return replace(self, rollouts=(*self.rollouts, *rollouts), changes=(*self.changes, *changes))


type Scene = Callable[[Setting], Story]


def setting(system: System, flow: str, random: Random, rate: tuple[float, float] = (3.0, 5.0)) -> Setting:
    """A time, a rate and windows, as chance has it."""
    day = datetime(2026, 1, 5, 6, tzinfo=UTC) + timedelta(days=random.randrange(300), minutes=random.randrange(900))
    begin = 60.0 * random.randrange(15, 20)
    onset = begin + random.randrange(10, 170)
    end = onset + random.randrange(380, 620)
    baseline: tuple[tuple[float, float], ...] = ((0.0, begin - random.choice((0.0, 30.0, 60.0))),)
    if random.random() < 0.3:
        baseline = ((begin - DAY, begin + 300 - DAY), *baseline)
    sampled = random.uniform(0.4, 0.8)
    return Setting(system, flow, day, onset, (begin, end), baseline, random.uniform(*rate), sampled, random)
