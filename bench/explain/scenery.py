"""What stories are made of: deploys that did it, changes that did not, and a hand for chance."""

from collections.abc import Sequence
from random import Random

from bench.explain.faults import Rollout
from bench.explain.story import Happening, Setting, Story
from bench.explain.truth import Blame


def only(*services: str) -> tuple[tuple[Blame, ...], ...]:
    """One fault, for which any of these services may be blamed."""
    return (tuple(Blame(service) for service in services),)


def bumped(version: str) -> str:
    """The version after this one."""
    head, _, last = version.rpartition(".")
    return f"{head}.{int(last) + 1}"


def deploy(
    setting: Setting, service: str, at: float, share: float = 1.0, seconds: float = 60.0
) -> tuple[Rollout, Happening]:
    """A new version, on a `share` of the pods, and its announcement."""
    version = bumped(setting.system.service(service).version)
    what = "Canary" if share < 1 else "Deploy"
    announced = Happening(at, f"{what} {service} {version}", "deploy", service, version)
    return Rollout(service, version, at, seconds, share), announced


def early(setting: Setting, service: str) -> tuple[Rollout, Happening]:
    """Long before: what it brought had been fine for many minutes."""
    return deploy(setting, service, setting.random.uniform(120, 300))


def afterwards(setting: Setting, service: str) -> tuple[Rollout, Happening]:
    """When it had begun already."""
    return deploy(setting, service, setting.onset + setting.random.uniform(100, 200))


def canary(setting: Setting, service: str) -> tuple[Rollout, Happening]:
    """Just before, on one pod of several, which fares no worse than the others."""
    share = 1 / setting.system.service(service).pods
    return deploy(setting, service, setting.onset - setting.random.uniform(60, 240), share)


def elsewhere(setting: Setting, service: str, kind: str = "config") -> Happening:
    """Just before, in a service that the flow does not need."""
    at = setting.onset - setting.random.uniform(30, 150)
    return Happening(at, f"Resize {service} cache to {setting.random.randrange(2, 9)} GB", kind, service)


def pick[T](random: Random, *choices: T) -> T:
    return random.choice(choices)


def quiet(setting: Setting, bad: object, changes: Sequence[tuple[Rollout, Happening]] = ()) -> Story:
    """Nothing happens but changes."""
    return Story(setting, "nothing", bad).and_also(*changes)
