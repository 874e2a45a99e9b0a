"""What can happen to the wide fan-out."""

from dataclasses import replace

from bench.explain.fanout import BATCH, CACHE, DATABASE, PARTS, QUEUE
from bench.explain.faults import CacheLost, Crowd, Failing, Fault, Neighbour, PoolHeld, Slow, Starved, Where
from bench.explain.scenery import afterwards, canary, deploy, early, elsewhere, only, quiet
from bench.explain.story import Flaws, Happening, Scene, Setting, Story

POOLED = ("catalog", "offers", "reviews", "basket")


def shared_database(setting: Setting) -> Story:
    """The database that most share is slow: all who ask it are, and none of them is to blame."""
    return Story(
        setting,
        "slow dependency",
        {"slower_than_ms": 400},
        (Slow(setting.onset, Where("query", DATABASE), setting.random.uniform(0.15, 0.3), 0.5),),
        culprits=only(DATABASE),
    ).and_also(canary(setting, "offers"), early(setting, "front"))


def cache_loss(setting: Setting) -> Story:
    """A cache has forgotten everything: what stands behind it is asked each time."""
    return Story(
        setting,
        "cache loss",
        {"slower_than_ms": 150},
        (CacheLost(setting.onset, CACHE), Slow(setting.onset, Where("query", "users-db"), 0.02)),
        culprits=only(CACHE, "auth"),
    ).and_also(early(setting, "reviews"), elsewhere(setting, BATCH))


def queue_backlog(setting: Setting) -> Story:
    """Those who read the queue are slow, and messages wait for longer and longer."""
    fault = Slow(setting.onset, Where("visit", "auditor"), setting.random.uniform(1.5, 2.5), 0.2)
    return Story(setting, "queue backlog", "any", (fault,), culprits=only("auditor", QUEUE), segments=None).and_also(
        canary(setting, "basket")
    )


def pool_exhaustion(setting: Setting) -> Story:
    service = setting.random.choice(POOLED)
    return Story(
        setting,
        "pool exhaustion",
        "error",
        (PoolHeld(setting.onset, service, setting.random.uniform(1.5, 2.2), 0.4),),
        culprits=only(service),
    ).and_also(canary(setting, "shipping"), afterwards(setting, "front"))


def surge(setting: Setting) -> Story:
    """Many more requests, of one tenant; one service has too few threads for them."""
    tenant = setting.random.choice(("red", "grey", "black"))
    factor = setting.random.uniform(9, 11)
    crowd = Crowd(setting.onset, factor, (factor - 1) / factor, {"tenant.id": tenant})
    setting = replace(setting, incident=(setting.incident[0], setting.onset + 240), sampled=0.25)
    return Story(
        setting,
        "traffic surge",
        {"slower_than_ms": 400},
        (crowd, Starved(setting.onset, Where("work", "catalog"), setting.random.uniform(20, 24), 1.2)),
        culprits=only("catalog", "front"),
        segments=None,
    ).and_also(early(setting, "offers"))


def retries(setting: Setting) -> Story:
    """Features hang for some: recommend gives up, and asks again and again."""
    share = setting.random.uniform(0.5, 0.8)
    return Story(
        setting,
        "timeouts with retries",
        {"slower_than_ms": 600},
        (Slow(setting.onset, Where("visit", "features"), 2.5, 0.2, share),),
        culprits=only("features"),
    ).and_also(canary(setting, "recommend"))


def erroring_dependency(setting: Setting) -> Story:
    """The carrier refuses, in one region only."""
    region = setting.random.choice(("north", "south"))
    fault = Failing(
        setting.onset,
        Where("visit", "carrier", segment={"cloud.region": region}),
        "CarrierError: no tariff",
        setting.random.uniform(0.8, 1.0),
        "no tariff for parcel {id}",
    )
    return Story(
        setting,
        "erroring dependency",
        "error",
        (fault,),
        culprits=only("carrier"),
        segments=({"cloud.region": region},),
    ).and_also(canary(setting, "shipping"), elsewhere(setting, BATCH))


def bad_deploy(setting: Setting) -> Story:
    """A new version fails for one kind of device and one tenant."""
    service = setting.random.choice(("catalog", "basket", "reviews"))
    device, tenant = setting.random.choice(("phone", "desktop")), setting.random.choice(("blue", "green"))
    segment = {"device.type": device, "tenant.id": tenant}
    rollout, announced = deploy(setting, service, setting.onset, seconds=30)
    where = Where("visit", service, version=rollout.version, segment=segment)
    return Story(
        setting,
        "bad deploy in one segment",
        "error",
        (Failing(rollout.at, where, "TypeError: price is undefined", 0.95, "price of {id} is undefined"),),
        (rollout,),
        (announced,),
        only(service),
        (segment,),
        announced.title,
    ).and_also(canary(setting, "profile"), early(setting, "front"))


def bad_config(setting: Setting) -> Story:
    """A change of settings makes one service slow; one of another service came with it."""
    service = setting.random.choice(("offers", "reviews", "profile"))
    edited = Happening(setting.onset - setting.random.uniform(1, 20), f"Edit settings of {service}", "config", service)
    return Story(
        setting,
        "bad change of settings",
        {"slower_than_ms": 400},
        (Slow(setting.onset, Where("visit", service), setting.random.uniform(0.4, 0.9), 0.3),),
        changes=(edited,),
        culprits=only(service),
        change=edited.title,
    ).and_also(elsewhere(setting, BATCH), early(setting, "front"))


def neighbour(setting: Setting) -> Story:
    node = setting.system.nodes_of(BATCH)[0]
    victim = setting.random.choice([name for name in PARTS if node in setting.system.nodes_of(name)])
    faults: tuple[Fault, ...] = (
        Neighbour(setting.onset, BATCH),
        Starved(setting.onset, Where("work", victim, node=node), 70, 0.1),
        Starved(setting.onset, Where("work", node=node), 1.3, 0.05),
    )
    return Story(
        setting,
        "noisy neighbour",
        {"slower_than_ms": 350},
        faults,
        culprits=only(BATCH, victim),
        segments=None,
    ).and_also(early(setting, "front"))


def cpu_saturation(setting: Setting) -> Story:
    service = setting.random.choice(("recommend", "profile", "shipping"))
    factor = 14 if service == "recommend" else 80
    return Story(
        setting,
        "CPU saturation",
        {"slower_than_ms": 350},
        (Starved(setting.onset, Where("work", service), factor, 0.9),),
        culprits=only(service),
    ).and_also(canary(setting, "offers"))


def two_at_once(setting: Setting) -> Story:
    """One part is slow for some, another one fails for others."""
    # Not the catalog: its few threads would let the others wait too.
    slow, failing = setting.random.sample(("profile", "offers", "reviews", "basket", "shipping"), 2)
    faults: tuple[Fault, ...] = (
        Slow(setting.onset, Where("visit", slow, segment={"device.type": "phone"}), 5.5, 0.1),
        Failing(
            setting.onset + 10, Where("visit", failing, segment={"device.type": "desktop"}), "IOError: broken", 0.9
        ),
    )
    return Story(
        setting,
        "two faults at once",
        "error",
        faults,
        culprits=(*only(slow), *only(failing)),
        segments=({"device.type": "phone"}, {"device.type": "desktop"}),
    )


def counts_only(setting: Setting) -> Story:
    """Nothing but counts by attribute: who is hit can be found, and not why."""
    device = setting.random.choice(("phone", "desktop"))
    where = Where("visit", "basket", segment={"device.type": device, "cloud.region": "north"})
    flaws = Flaws(without=frozenset({"traces.jsonl", "logs.jsonl", "metrics.om", "topology.json"}))
    return Story(
        setting,
        "errors in one segment",
        "error",
        (Failing(setting.onset, where, "Unavailable", setting.random.uniform(0.5, 0.9)),),
        segments=({"device.type": device, "cloud.region": "north"},),
        flaws=flaws,
    )


def nothing(setting: Setting) -> Story:
    return quiet(setting, {"slower_than_ms": 400}, (canary(setting, "catalog"), early(setting, "auth")))


SCENES: dict[str, Scene] = {
    "shared-database": shared_database,
    "cache-loss": cache_loss,
    "backlog": queue_backlog,
    "pool": pool_exhaustion,
    "surge": surge,
    "retries": retries,
    "erroring-dependency": erroring_dependency,
    "bad-deploy": bad_deploy,
    "bad-config": bad_config,
    "neighbour": neighbour,
    "cpu": cpu_saturation,
    "two-faults": two_at_once,
    "counts-only": counts_only,
    "quiet": nothing,
}
