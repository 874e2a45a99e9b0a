"""A Prometheus in trouble: every page where somebody looks says what is wrong, and the ledger has no hole later."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from slo import ledger
from slo.measurement import advance
from slo.models import Objective, Slice
from telemetry.models import Source
from tests.connectors.impostor import Reply, impostor
from tests.dashboards.everything import lately
from tests.dashboards.pages import Page
from tests.make import HOUR, MINUTE, book_of, make_flow, make_objective, make_slices, make_source
from tests.servers import free_port
from tests.slo.stores import Scripted

pytestmark = pytest.mark.django_db

PARSE_ERROR = b'{"status": "error", "errorType": "bad_data", "error": "1:5: parse error: unexpected end of input"}'
REPLIES = {
    "slow": (Reply(silent=True), "did not answer within 0.3\u00a0s"),
    "HTML": (Reply(b"<html>Welcome", kind="text/html"), "it answered with a web page"),
    "5xx": (Reply(b"oops", 503, "text/plain"), "answered 503 Service Unavailable"),
    "wrong path": (Reply(b"404 page not found", 404, "text/plain"), "there is no Prometheus API at this address"),
    "no PromQL": (Reply(PARSE_ERROR, 400), "parse error: unexpected end of input"),
    "half an answer": (Reply(b'{"status": "success", "data"', cut=True), "broke off"),
}


@contextmanager
def troubled(fault: str) -> Iterator[tuple[str, str]]:
    """The address of a Prometheus with this fault, and what is to be read of it."""
    if fault == "down":
        yield f"http://127.0.0.1:{free_port()}", "nothing listens there"
    elif fault == "wrong host":
        yield "http://prometheus.invalid:9090", "prometheus.invalid:9090 cannot be reached"
    else:
        reply, sentence = REPLIES[fault]
        with ExitStack() as stack:
            yield stack.enter_context(impostor(reply)).url, sentence


@pytest.mark.parametrize("fault", ["down", "wrong host", *REPLIES])
def test_pages_say_what_is_wrong_with_a_store_and_nothing_is_lost_or_counted_twice(owner: Client, fault: str) -> None:
    with troubled(fault) as (url, sentence):
        source = make_source(url, timeout=timedelta(seconds=0.3))
        objective = make_objective(flow=make_flow("Checkout"), source=source, window=HOUR)
        stopped = lately(10 * MINUTE)
        make_slices(objective, stopped - HOUR, slices(HOUR))
        before = list(Slice.objects.values_list())
        advance([objective.pk], timezone.now())
        assert list(Slice.objects.values_list()) == before
        assert_said(owner, objective, sentence)
        tested = Page(owner.post(f"/settings/sources/{source.pk}/test/", follow=True))
        assert sentence in tested.text
    assert_caught_up(objective, stopped, timezone.now())
    assert sentence not in Page(owner.get(f"/objectives/{objective.pk}/")).text


def slices(length: timedelta) -> list[tuple[int, int]]:
    return [(1, 10)] * (length // settings.SLICE)


def assert_said(owner: Client, objective: Objective, sentence: str) -> None:
    """On the overview, on the objective's page, and in the place of the flow's charts."""
    for address in ("/", "/live/", f"/objectives/{objective.pk}/", f"/objectives/{objective.pk}/live/"):
        assert sentence in Page(owner.get(address)).text, address
    chart = owner.get("/flows/checkout/chart/requests/")
    assert chart.status_code == 502
    assert sentence in chart.json()["error"]


def assert_caught_up(objective: Objective, stopped: datetime, now: datetime) -> None:
    """When the store answers again, each slice of the meantime is there, once and in order."""
    advance([objective.pk], now, Scripted())
    objective.refresh_from_db()
    reached = objective.measured_until
    assert reached is not None
    missed = (reached - stopped) // settings.SLICE
    assert missed >= 8
    rows = list(Slice.objects.filter(end__gt=stopped).order_by("end"))
    assert [row.end for row in rows] == [stopped + (n + 1) * settings.SLICE for n in range(missed)]
    found = ledger.totals(book_of(objective), stopped, reached)
    assert (found.bad, found.total) == (missed, 10 * missed)
    assert objective.last_error == Source.objects.get().last_error == ""


def test_a_metric_or_label_that_is_gone_is_said_on_pages_and_counts_as_nothing(owner: Client) -> None:
    objective = make_objective(flow=make_flow("Checkout"), window=HOUR)
    stopped = lately(10 * MINUTE)
    make_slices(objective, stopped - HOUR, slices(HOUR))
    advance([objective.pk], timezone.now(), Scripted(lambda at: None))
    for address in ("/", f"/objectives/{objective.pk}/"):
        assert "No series matches requests_total" in Page(owner.get(address)).text, address
    found = ledger.totals(book_of(objective), stopped, lately(2 * MINUTE))
    assert (found.bad, found.total, found.measured) == (0, 0, timedelta())
