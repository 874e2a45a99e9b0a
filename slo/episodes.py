"""The times at which alerts of a backtest fired, and how those of two definitions differ."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from slo.groups import ALL, Group
from slo.judgement import Rule
from slo.replay import Event
from slo.tiers import Tier


@dataclass(frozen=True, slots=True)
class Episode:
    """One time an alert would have fired; `until` is `None` if it still did at the end."""

    rule: Rule
    since: datetime
    until: datetime | None
    reason: str
    # It began beside a page of the same objective and group, so nobody would have been told.
    silenced: bool = False
    group: Group = ALL

    @property
    def severity(self) -> str:
        return self.rule.severity


@dataclass(frozen=True, slots=True)
class Compared:
    """An episode beside the one of another definition that tells the same, if there is one."""

    episode: Episode
    other: Episode | None

    @property
    def later(self) -> timedelta | None:
        """How much later it fired than the other; negative is earlier."""
        return self.episode.since - self.other.since if self.other else None


def episodes(events: Iterable[Event], group: Group = ALL) -> list[Episode]:
    """In order of their beginnings, from all events of one group."""
    firing: dict[Rule, Event] = {}
    found: list[Episode] = []
    for event in events:
        if event.new == "firing":
            firing[event.rule] = event
        elif fired := firing.pop(event.rule, None):
            found.append(_episode(fired, event.at, group))
    found += [_episode(fired, None, group) for fired in firing.values()]
    return sorted(found, key=attrgetter("since"))


def compared(ours: Sequence[Episode], theirs: Sequence[Episode]) -> tuple[list[Compared], list[Episode]]:
    """Each of `ours` with the earliest of `theirs` that told the same people of the same trouble; and those left over.

    The same: of one group, kind of rule and severity, with some time in common.
    """
    pairs = [Compared(one, next((other for other in theirs if _same(one, other)), None)) for one in ours]
    gone = [other for other in theirs if not any(_same(one, other) for one in ours)]
    return pairs, gone


def _episode(fired: Event, until: datetime | None, group: Group) -> Episode:
    return Episode(fired.rule, fired.at, until, fired.reason, fired.silenced, group)


def _same(one: Episode, other: Episode) -> bool:
    alike = (one.group, one.severity, type(one.rule)) == (other.group, other.severity, type(other.rule))
    return alike and _begins_within(one, other) | _begins_within(other, one)


def _begins_within(one: Episode, other: Episode) -> bool:
    return other.since <= one.since and (other.until is None or one.since <= other.until)


def told(found: Iterable[Episode]) -> list[Episode]:
    """Those of tiers of which somebody would have been told."""
    return [one for one in found if isinstance(one.rule, Tier) and not one.silenced]
