"""What a user's machine does to the workers: kills, doubles, takes Redis or the database away. Nothing is lost."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client

from tests.alerts.deployment import Deployment, deployment
from tests.alerts.inbox import Inbox, inbox
from tests.alerts.shop import PER_SECOND, Shop, shop
from tests.servers import RedisServer, postgres_server, wait_until

pytestmark = pytest.mark.real


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
        begin(running, store, chat)
        yield running


def begin(fireline: Deployment, store: Shop, chat: Inbox) -> None:
    fireline.prepare(store.url, chat.url)
    fireline.start("worker", "beat")
    fireline.watch("caught-up")


def assert_told_and_counted_once(fireline: Deployment, store: Shop, chat: Inbox) -> None:
    """One message; a ledger without a gap and with the store's very counts; alerts that did what it says."""
    fireline.watch("told")
    fireline.watch("caught-up")
    fireline.stop()
    assert [message["event"] for message in chat.received] == ["opened"]
    slices = fireline.slices()
    assert [end for _, end, *_ in slices[:-1]] == [start for start, *_ in slices[1:]]
    for start, end, bad, total in slices:
        assert (bad, total) == (store.bad(end, end - start), PER_SECOND * (end - start))
    assert fireline.moves() == fireline.replayed()
    assert len(fireline.moves()) == 1


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
    assert_told_and_counted_once(fireline, store, chat)
    assert chat.received[0]["title"].startswith("Checkout is failing")


def test_work_goes_on_when_redis_was_killed_and_is_back(
    fireline: Deployment, redis: RedisServer, store: Shop, chat: Inbox
) -> None:
    before = len(fireline.slices())
    redis.stop(signal.SIGKILL)
    store.fails_from = int(time.time())
    wait_until(lambda: "Connection refused" in fireline.log("worker"), 30, "the worker to notice")
    redis.start()
    assert_told_and_counted_once(fireline, store, chat)
    assert len(fireline.slices()) > before


def test_two_workers_two_beats_and_a_flushed_redis_count_and_tell_once(
    fireline: Deployment, redis: RedisServer, store: Shop, chat: Inbox
) -> None:
    fireline.start("another worker", "another beat")
    wait_until(lambda: "ready." in fireline.log("another worker"), 60, "the other worker")
    store.fails_from = int(time.time())
    with redis_client.Redis(port=redis.port) as broker:
        for _ in range(3):
            fireline.watch("caught-up")
            broker.flushall()
    assert_told_and_counted_once(fireline, store, chat)


def test_a_database_that_restarts_is_waited_for(tmp_path: Path, redis: RedisServer, store: Shop, chat: Inbox) -> None:
    with postgres_server() as database, deployment(tmp_path, redis, database.url) as fireline:
        begin(fireline, store, chat)
        database.stop()
        store.fails_from = int(time.time())
        wait_until(lambda: "Connection refused" in fireline.log("worker"), 30, "the worker to notice")
        database.start()
        assert_told_and_counted_once(fireline, store, chat)
