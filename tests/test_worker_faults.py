"""What a user's machine does to the workers: kill one during a slice, take Redis away. Nothing is lost or doubled."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts.deployment import Deployment, deployment
from tests.alerts.inbox import Inbox, inbox
from tests.alerts.shop import PER_SECOND, Shop, shop
from tests.servers import RedisServer, wait_until

pytestmark = pytest.mark.real

CAUGHT_UP = "SELECT measured_until > datetime('now', '-4 seconds') FROM slo_objective"
TOLD = "SELECT count(*) FROM alerts_delivery WHERE state = 'sent'"


@pytest.fixture
def store() -> Iterator[Shop]:
    with shop() as running:
        yield running


@pytest.fixture
def chat() -> Iterator[Inbox]:
    with inbox() as box:
        yield box


@pytest.fixture
def fireline(tmp_path: Path, redis: RedisServer, store: Shop, chat: Inbox) -> Iterator[Deployment]:
    with deployment(tmp_path, redis) as running:
        running.prepare(store.url, chat.url)
        running.start("worker", "beat")
        running.wait_for(CAUGHT_UP)
        yield running


def assert_counted_once(fireline: Deployment, store: Shop) -> None:
    """The ledger has no gap, no slice twice, and the store's very counts; and the alerts did what it says."""
    slices = fireline.rows(
        "SELECT strftime('%s', start), strftime('%s', end), bad, total FROM slo_slice ORDER BY slo_slice.start"
    )
    edges = [(int(start), int(end)) for start, end, *_ in slices]
    assert [end for _, end in edges[:-1]] == [start for start, _ in edges[1:]]
    for (start, end), (_, _, bad, total) in zip(edges, slices, strict=True):
        assert (bad, total) == (store.bad(end, end - start), PER_SECOND * (end - start))
    assert fireline.moves() == fireline.replayed()


def test_a_worker_killed_during_a_slice_loses_and_doubles_nothing(
    fireline: Deployment, store: Shop, chat: Inbox
) -> None:
    store.fails_from = int(time.time())
    store.may_answer.clear()
    store.asked.clear()
    assert store.asked.wait(timeout=20)
    fireline.kill("worker")
    store.may_answer.set()
    fireline.start("worker")
    fireline.wait_for(TOLD)
    fireline.wait_for(CAUGHT_UP)
    fireline.kill("beat")
    fireline.kill("worker")
    assert [message["event"] for message in chat.received] == ["opened"]
    assert chat.received[0]["title"].startswith("Checkout is failing")
    assert_counted_once(fireline, store)


def test_work_goes_on_when_redis_was_killed_and_is_back(
    fireline: Deployment, redis: RedisServer, store: Shop, chat: Inbox
) -> None:
    redis.stop(signal.SIGKILL)
    store.fails_from = int(time.time())
    before = fireline.one("SELECT count(*) FROM slo_slice")
    wait_until(lambda: "Connection refused" in fireline.log("worker"), 30, "the worker to notice")
    redis.start()
    fireline.wait_for(TOLD)
    fireline.wait_for(CAUGHT_UP)
    fireline.kill("beat")
    fireline.kill("worker")
    assert fireline.one("SELECT count(*) FROM slo_slice") > before
    assert [message["event"] for message in chat.received] == ["opened"]
    assert_counted_once(fireline, store)
