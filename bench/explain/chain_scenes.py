"""What can happen to the deep chain."""

from dataclasses import replace

from bench.explain.chain import BATCH, NAMES
from bench.explain.faults import Failing, Fault, Neighbour, Slow, Starved, Where
from bench.explain.scenery import afterwards, canary, deploy, early, elsewhere, only, quiet
from bench.explain.story import Flaws, Scene, Setting, Story
from bench.explain.system import Call, System

REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")


def _deep(setting: Setting, first: int = 4, last: int = 11) -> str:
    """A service somewhere down the chain."""
    return NAMES[setting.random.randint(first, last)]


def _other(setting: Setting, *culprits: str) -> str:
    """Some service that has nothing to do with it."""
    return setting.random.choice([name for name in NAMES[1:] if name not in culprits])


def slow_code(setting: Setting) -> Story:
    service = _deep(setting)
    seconds = setting.random.uniform(0.4, 1.2)
    return Story(
        setting,
        "slow dependency",
        {"slower_than_ms": 400},
        (Slow(setting.onset, Where("visit", service), seconds, 0.3, setting.random.uniform(0.5, 0.9)),),
        culprits=only(service),
    ).and_also(early(setting, _other(setting, service)), canary(setting, _other(setting, service)))


def exception(setting: Setting) -> Story:
    service = _deep(setting)
    fault = Failing(
        setting.onset,
        Where("visit", service),
        "IndexError: list index out of range",
        setting.random.uniform(0.15, 0.5),
        "unhandled exception while reading row {id}",
        0.002,
    )
    return Story(setting, "erroring dependency", "error", (fault,), culprits=only(service)).and_also(
        canary(setting, _other(setting, service)), elsewhere(setting, BATCH)
    )


def slow_network(setting: Setting) -> Story:
    """Time goes by between a caller and its callee, on both of whose clocks all is well."""
    service = _deep(setting)
    where = Where("network", service)
    return Story(
        setting,
        "slow network",
        {"slower_than_ms": 400},
        (Slow(setting.onset, where, setting.random.uniform(0.4, 1.0), 0.2, 0.8),),
        culprits=only(service),
        flaws=Flaws(skew=0.03),
    ).and_also(early(setting, _other(setting, service)))


def _with_retries(system: System, caller: str, timeout: float) -> System:
    """The same system, in which this service tries its callee three times, and waits for so long each time."""
    service = system.service(caller)
    steps = tuple(
        replace(step, timeout=timeout, attempts=3, patient=True) if isinstance(step, Call) else step
        for step in service.operations[0].steps
    )
    return system.with_service(replace(service, operations=(replace(service.operations[0], steps=steps),)))


def retries(setting: Setting) -> Story:
    """A service hangs for some; its caller gives up, and asks again and again."""
    place = setting.random.randint(5, 10)
    service, caller = NAMES[place], NAMES[place - 1]
    setting = replace(setting, system=_with_retries(setting.system, caller, 0.6))
    share = setting.random.uniform(0.6, 0.85)
    return Story(
        setting,
        "timeouts with retries",
        {"slower_than_ms": 500},
        (Slow(setting.onset, Where("visit", service), 1.5, 0.3, share),),
        culprits=only(service),
    ).and_also(canary(setting, _other(setting, service, caller)))


def bad_canary(setting: Setting) -> Story:
    """A new version on one pod of several is slow."""
    service = _deep(setting)
    share = 1 / setting.system.service(service).pods
    rollout, announced = deploy(setting, service, setting.onset, share)
    fault = Slow(setting.onset, Where("visit", service, version=rollout.version), setting.random.uniform(0.6, 1.1))
    return Story(
        setting,
        "bad deploy on some pods",
        {"slower_than_ms": 400},
        (fault,),
        (rollout,),
        (announced,),
        only(service),
        None,
        announced.title,
    ).and_also(early(setting, _other(setting, service)), elsewhere(setting, BATCH))


def bad_deploy(setting: Setting) -> Story:
    """A new version everywhere fails for some; two others came at about the same time."""
    service = _deep(setting, 3)
    rollout, announced = deploy(setting, service, setting.onset, seconds=45)
    fault = Failing(
        setting.onset,
        Where("visit", service, version=rollout.version),
        "NullPointerException: rate is null",
        setting.random.uniform(0.3, 0.6),
        "cannot read rate {id}: it is null",
    )
    return Story(
        setting,
        "bad deploy",
        "error",
        (fault,),
        (rollout,),
        (announced,),
        only(service),
        (),
        announced.title,
    ).and_also(canary(setting, _other(setting, service)), afterwards(setting, NAMES[1]))


def busy_pod(setting: Setting) -> Story:
    """One pod of a service burns its processor."""
    service = _deep(setting, 3)
    where = Where("work", service, pods=frozenset({0}))
    return Story(
        setting,
        "CPU saturation",
        {"slower_than_ms": 350},
        (Starved(setting.onset, where, setting.random.uniform(60, 90), 0.85),),
        culprits=only(service),
        segments=None,
    ).and_also(early(setting, _other(setting, service)))


def neighbour(setting: Setting) -> Story:
    """A batch job takes the processors of a node; who works most there, suffers most."""
    node = setting.system.nodes_of(BATCH)[0]
    victim = setting.random.choice([name for name in NAMES[2:] if node in setting.system.nodes_of(name)])
    faults: tuple[Fault, ...] = (
        Neighbour(setting.onset, BATCH),
        Starved(setting.onset, Where("work", victim, node=node), 70, 0.1),
        Starved(setting.onset, Where("work", node=node), 1.4, 0.05),
    )
    return Story(
        setting,
        "noisy neighbour",
        {"slower_than_ms": 350},
        faults,
        culprits=only(BATCH, victim),
        segments=None,
    ).and_also(early(setting, _other(setting, victim)))


def bare(setting: Setting) -> Story:
    """Spans without status, kind or attributes, and nobody knows what a bad request is."""
    service = _deep(setting)
    fault = Slow(setting.onset, Where("visit", service), setting.random.uniform(0.5, 1.0), 0.3, 0.9)
    flaws = Flaws(bare=True, skew=0.01, without=frozenset({"counts.csv"}))
    return Story(setting, "slow dependency", "any", (fault,), culprits=only(service), segments=None, flaws=flaws)


def bare_exception(setting: Setting) -> Story:
    """The same with errors, which show in the logs and as spans that are not there."""
    service = _deep(setting, 4, 9)
    line = "request {id} failed: java.lang.IllegalStateException"
    fault = Failing(setting.onset, Where("visit", service), "IllegalStateException: closed", 0.7, line)
    flaws = Flaws(bare=True, skew=0.01, without=frozenset({"counts.csv"}))
    return Story(setting, "erroring dependency", "any", (fault,), culprits=only(service), segments=None, flaws=flaws)


def metrics_only(setting: Setting) -> Story:
    """There are neither traces nor logs."""
    service = _deep(setting)
    fault = Slow(setting.onset, Where("visit", service), setting.random.uniform(0.5, 1.0), 0.3, 0.8)
    flaws = Flaws(without=frozenset({"traces.jsonl", "logs.jsonl", "counts.csv"}))
    story = Story(setting, "slow dependency", {"slower_than_ms": 400}, (fault,), culprits=only(service), segments=None)
    return replace(story, flaws=flaws).and_also(canary(setting, _other(setting, service)))


def correlated(setting: Setting) -> Story:
    """Two attributes matter together; a third goes with one of them, and does not."""
    region, plan = setting.random.choice(REGIONS), setting.random.choice(("free", "pro"))
    service = _deep(setting)
    where = Where("visit", service, segment={"cloud.region": region, "customer.plan": plan})
    return Story(
        setting,
        "errors in one segment",
        "error",
        (Failing(setting.onset, where, "ValueError: unknown currency", 0.9, "currency of {id} is unknown"),),
        culprits=only(service),
        segments=({"cloud.region": region, "customer.plan": plan},),
    ).and_also(canary(setting, _other(setting, service)))


def two_at_once(setting: Setting) -> Story:
    """One service is slow, and another one fails."""
    first, second = NAMES[setting.random.randint(3, 6)], NAMES[setting.random.randint(8, 11)]
    faults: tuple[Fault, ...] = (
        Slow(setting.onset, Where("visit", first), 9.0, 0.1, 0.3),
        Failing(setting.onset + 15, Where("visit", second), "IOError: disk full", 0.3, "cannot write: disk full"),
    )
    culprits = (*only(first), *only(second))
    return Story(setting, "two faults at once", "error", faults, culprits=culprits, segments=None).and_also(
        early(setting, _other(setting, first, second))
    )


def nothing(setting: Setting) -> Story:
    return quiet(setting, {"slower_than_ms": 400}, (canary(setting, _other(setting)), early(setting, NAMES[1])))


SCENES: dict[str, Scene] = {
    "slow-code": slow_code,
    "exception": exception,
    "network": slow_network,
    "retries": retries,
    "canary": bad_canary,
    "bad-deploy": bad_deploy,
    "cpu": busy_pod,
    "neighbour": neighbour,
    "bare": bare,
    "bare-exception": bare_exception,
    "metrics-only": metrics_only,
    "correlated": correlated,
    "two-faults": two_at_once,
    "quiet": nothing,
}
