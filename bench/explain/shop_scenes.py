"""What can happen to the demo's shop."""

from dataclasses import replace
from datetime import timedelta

from bench.explain.faults import Crowd, Failing, PoolHeld, Slow, Starved, Where
from bench.explain.scenery import afterwards, canary, deploy, early, elsewhere, only, pick, quiet
from bench.explain.story import Happening, Scene, Setting, Story
from bench.explain.system import System, Work
from bench.explain.truth import Blame

REGIONS = ("eu-west", "us-east", "eu-central")


def reference(setting: Setting) -> Story:
    """Card payments from eu-west wait for provider-b, two minutes after checkout 2026.11.3, which sends them there."""
    begin = 60.0 * 18
    at_two = setting.epoch.replace(hour=14, minute=3)
    setting = replace(setting, epoch=at_two - timedelta(seconds=begin), onset=begin, incident=(begin - 60, begin + 540))
    setting = replace(setting, baseline=((0.0, begin - 180),), sampled=1.0)
    rollout, announced = deploy(setting, "checkout", begin - 120, seconds=100)
    where = Where("work", "provider-b", segment={"region": "eu-west"})
    return Story(
        setting,
        "slow dependency after a deploy",
        {"slower_than_ms": 1000},
        (Slow(begin, where, 4.15, 0.06),),
        (rollout,),
        (announced,),
        ((Blame("provider-b"), Blame("checkout", "change")),),
        ({"payment.method": "card", "region": "eu-west"},),
        announced.title,
        pauses=0.02,
    )


def slow_dependency(setting: Setting) -> Story:
    region = pick(setting.random, *REGIONS)
    where = Where("work", "provider-b", segment={"region": region})
    story = Story(
        setting,
        "slow dependency",
        {"slower_than_ms": 800},
        (Slow(setting.onset, where, setting.random.uniform(1.0, 2.4), line="no free connection, waiting for one"),),
        culprits=only("provider-b"),
        segments=({"payment.method": "card", "region": region},),
    )
    return story.and_also(early(setting, "checkout"), canary(setting, "inventory"))


def erroring_dependency(setting: Setting) -> Story:
    line = "acquirer {id} closed the connection during the TLS handshake"
    fault = Failing(
        setting.onset,
        Where("visit", "provider-a"),
        "AcquirerUnavailable: the acquirer is unavailable",
        setting.random.uniform(0.6, 0.9),
        line,
        0.02,
    )
    return Story(
        setting,
        "erroring dependency",
        "error",
        (fault,),
        culprits=only("provider-a"),
        segments=({"payment.method": "wallet"}, {"payment.method": "invoice"}),
    ).and_also(elsewhere(setting, "accounts"), afterwards(setting, "payment"))


def hanging_stock(setting: Setting) -> Story:
    """The stock's database hangs for some: checkout gives up on inventory."""
    share = setting.random.uniform(0.3, 0.6)
    return Story(
        setting,
        "timeouts",
        "error",
        (Slow(setting.onset, Where("query", "stock-db"), 5.0, 0.2, share),),
        culprits=only("stock-db", "inventory"),
    ).and_also(canary(setting, "payment"))


def bad_deploy(setting: Setting) -> Story:
    method = pick(setting.random, "invoice", "wallet")
    rollout, announced = deploy(setting, "checkout", setting.onset - setting.random.uniform(5, 20), seconds=20)
    setting = replace(setting, onset=rollout.at)
    where = Where("visit", "checkout", version=rollout.version, segment={"payment.method": method})
    return Story(
        setting,
        "bad deploy in one segment",
        "error",
        (Failing(rollout.at, where, "KeyError: 'payment_terms'", 1.0, "order {id} has no payment_terms", 0.004),),
        (rollout,),
        (announced,),
        only("checkout"),
        ({"payment.method": method},),
        announced.title,
    ).and_also(early(setting, "payment"), elsewhere(setting, "accounts"))


def bad_flag(setting: Setting) -> Story:
    """A flag makes payment check twice in one region, slowly."""
    region = pick(setting.random, *REGIONS)
    flag = Happening(setting.onset - setting.random.uniform(2, 15), "Flag double-check on", "flag", "payment")
    where = Where("visit", "payment", segment={"region": region})
    return Story(
        setting,
        "bad flag in one segment",
        {"slower_than_ms": 700},
        (Slow(setting.onset, where, setting.random.uniform(0.9, 1.6)),),
        changes=(flag,),
        culprits=only("payment"),
        segments=({"region": region},),
        change=flag.title,
    ).and_also(early(setting, "checkout"), afterwards(setting, "inventory"))


def pool_exhaustion(setting: Setting) -> Story:
    busy = setting.random.uniform(1.6, 2.4)
    return Story(
        setting,
        "pool exhaustion",
        "error",
        (PoolHeld(setting.onset, "inventory", busy, setting.random.uniform(0.2, 0.5)),),
        culprits=only("inventory"),
    ).and_also(canary(setting, "checkout"))


def queue_backlog(setting: Setting) -> Story:
    """The worker slows down; once the queue is full, orders are refused."""
    line = "mail server answers 451, slowing down"
    setting = replace(setting, onset=setting.incident[0] - 20, rate=6.0)
    return Story(
        setting,
        "queue backlog",
        "error",
        (Slow(setting.onset, Where("visit", "worker"), setting.random.uniform(2.0, 3.0), 0.1, line=line),),
        culprits=only("worker"),
    ).and_also(early(setting, "payment"), elsewhere(setting, "accounts"))


def cpu_saturation(setting: Setting) -> Story:
    return Story(
        setting,
        "CPU saturation",
        {"slower_than_ms": 600},
        (Starved(setting.onset, Where("work", "provider-b"), setting.random.uniform(8, 14)),),
        culprits=only("provider-b"),
        segments=({"payment.method": "card"},),
    ).and_also(early(setting, "checkout"))


def login_of_one_tenant(setting: Setting) -> Story:
    tenant = pick(setting.random, "globex", "umbrella", "initech")
    setting = replace(setting, flow="Login", rate=setting.rate * 2.2)
    where = Where("visit", "accounts", segment={"tenant": tenant})
    line = f"signing key of tenant {tenant} has expired"
    return Story(
        setting,
        "errors in one segment",
        "error",
        (Failing(setting.onset, where, "SigningKeyExpired: signing key has expired", 1.0, line),),
        culprits=only("accounts"),
        segments=({"tenant": tenant},),
    ).and_also(early(setting, "gateway"), elsewhere(setting, "payment"))


def database_down(setting: Setting) -> Story:
    where = Where("query", "orders-db")
    line = "connection to orders-db:5432 refused"
    return Story(
        setting,
        "erroring dependency",
        "error",
        (Failing(setting.onset, where, "OrdersDatabaseDown: connection refused", 1.0, line),),
        culprits=only("orders-db", "checkout"),
    ).and_also(canary(setting, "payment"), elsewhere(setting, "accounts"))


def two_at_once(setting: Setting) -> Story:
    """One provider is slow and the other refuses, which began together."""
    slow = Slow(setting.onset, Where("work", "provider-b"), setting.random.uniform(4.2, 5.0), 0.1)
    refused = Failing(setting.onset + 20, Where("visit", "provider-a"), "AcquirerUnavailable: no acquirer", 0.8)
    return Story(
        setting,
        "two faults at once",
        "error",
        (slow, refused),
        culprits=(*only("provider-b"), *only("provider-a")),
        segments=None,
    ).and_also(early(setting, "checkout"))


def mix_shift(setting: Setting) -> Story:
    """More of the checkouts are paid by a method that has always been slower; nothing takes longer than before."""
    setting = replace(setting, system=_with_slow_wallets(setting.system))
    return Story(
        setting,
        "shift in mix",
        {"slower_than_ms": 450},
        (Crowd(setting.onset, 1.0, 0.6, {"payment.method": "wallet"}),),
        segments=None,
        load=True,
    ).and_also(canary(setting, "inventory"))


def _with_slow_wallets(system: System) -> System:
    provider = system.service("provider-a")
    operation = replace(provider.operations[0], steps=(Work(0.5, "ask acquirer"),))
    return system.with_service(replace(provider, operations=(operation,)))


def nothing(setting: Setting) -> Story:
    return quiet(setting, "error", (canary(setting, "checkout"), deploy(setting, "payment", setting.onset)))


SCENES: dict[str, Scene] = {
    "reference": reference,
    "slow-dependency": slow_dependency,
    "erroring-dependency": erroring_dependency,
    "timeouts": hanging_stock,
    "bad-deploy": bad_deploy,
    "bad-flag": bad_flag,
    "pool": pool_exhaustion,
    "backlog": queue_backlog,
    "cpu": cpu_saturation,
    "login": login_of_one_tenant,
    "database-down": database_down,
    "two-faults": two_at_once,
    "mix": mix_shift,
    "quiet": nothing,
}
