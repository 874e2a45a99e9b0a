"""The requests kept with an incident: truly bad ones, few, whole, and there although a store is not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerts import examples, exemplars, frozen
from alerts.models import Example, Incident, TimelineEntry
from alerts.notification import best_example
from connectors.errors import Unreachable
from connectors.telemetry import TraceQuery
from telemetry import stores
from telemetry.models import StoredLog, StoredSpan, StoredTrace
from telemetry.store import EmbeddedTraces, record_spans
from tests.alerts.cast import BAD, go_on, the_incident, watched
from tests.alerts.telemetry import request, requests, spans_of
from tests.make import MINUTE, NOON

pytestmark = pytest.mark.django_db(databases="__all__")

SECOND = timedelta(seconds=1)
FAILING = NOON + 30 * SECOND


@pytest.fixture(autouse=True)
def no_exemplars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exemplars are asked of a real Prometheus in test_exemplars.py."""
    have_exemplars(monkeypatch)


def have_exemplars(monkeypatch: pytest.MonkeyPatch, *trace_ids: str) -> None:
    monkeypatch.setattr(exemplars, "bad", lambda *arguments: list(trace_ids))


def burning(**fields: Any) -> Incident:
    go_on(watched(**fields), [BAD, BAD])
    return the_incident()


def collect(incident: Incident) -> list[Example]:
    now = NOON + 3 * MINUTE
    Incident.objects.filter(pk=incident.pk, examples_due_at__isnull=False).update(examples_due_at=now)
    examples.collect(incident.pk, now)
    return list(incident.examples.all())


def test_failed_requests_are_kept_with_what_failed_and_their_lines() -> None:
    trace_id = request(FAILING, failed=True, lines=["provider-b timed out", "order 7 is not paid"])
    kept = collect(burning())
    assert [(example.trace_id, example.role, example.found_by) for example in kept] == [(trace_id, "bad", "search")]
    example = kept[0]
    assert example.what == "provider-b POST /authorize: provider-b timed out after 4,000 ms"
    assert example.span_id == f"{3:016x}"
    assert example.part == {"region": "eu-west"}
    assert len(frozen.thaw_spans(example.spans)) == 3
    assert [line.body for line in frozen.thaw_lines(example.lines)] == ["provider-b timed out", "order 7 is not paid"]


def test_an_example_outlives_the_store() -> None:
    trace_id = request(FAILING, failed=True, lines=["provider-b timed out"])
    stored = EmbeddedTraces().trace(trace_id)
    example = collect(burning())[0]
    for model in (StoredSpan, StoredTrace, StoredLog):
        model._default_manager.all().delete()
    example.refresh_from_db()
    assert frozen.thaw_spans(example.spans) == stored


def test_good_requests_are_kept_for_comparison_only() -> None:
    requests(NOON - 2 * MINUTE, 20)
    requests(FAILING, 10, failed=True)
    roles = [example.role for example in collect(burning())]
    assert (roles.count("bad"), roles.count("normal")) == (4, 2)


def test_other_flows_and_other_times_are_left_out() -> None:
    request(FAILING, failed=True, flow="login")
    request(NOON - 30 * MINUTE, failed=True)
    assert collect(burning()) == []


def test_a_request_that_recovered_inside_is_not_bad() -> None:
    outer, *inner = spans_of("a" * 32, FAILING, failed=True)
    calm = type(outer)(**{field: getattr(outer, field) for field in outer.__slots__} | {"status": "ok"})
    record_spans([calm, *inner], FAILING)
    assert [example.role for example in collect(burning())] == ["normal"]


def test_for_a_latency_objective_slow_requests_are_bad() -> None:
    slow = request(FAILING, ms=900)
    request(FAILING + SECOND, ms=100)
    kept = collect(burning(kind="latency", metric="request_seconds", threshold="0.5"))
    assert {(example.trace_id == slow, example.role) for example in kept} == {(True, "slow"), (False, "normal")}
    assert next(example.what for example in kept if example.role == "slow").endswith("of its own")


def test_examples_are_spread_over_the_parts_of_the_traffic() -> None:
    requests(FAILING, 15, failed=True, region="eu-west")
    request(FAILING, failed=True, region="us-east")
    request(FAILING, failed=True, region="ap-south")
    regions = {example.part["region"] for example in collect(burning())}
    assert regions == {"eu-west", "us-east", "ap-south"}


def test_exemplars_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    requests(FAILING, 15, failed=True)
    certain = request(FAILING - 20 * SECOND, failed=True)
    have_exemplars(monkeypatch, certain)
    kept = collect(burning())
    assert {example.trace_id: example.found_by for example in kept}[certain] == "exemplar"


def test_an_exemplar_without_a_trace_is_kept_when_there_is_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    have_exemplars(monkeypatch, "f" * 32)
    kept = collect(burning())
    assert [(example.trace_id, example.what) for example in kept] == [("f" * 32, examples.NOT_STORED)]


def test_an_exemplar_without_a_trace_gives_way_to_a_request_that_can_be_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace_id = request(FAILING, failed=True)
    have_exemplars(monkeypatch, "f" * 32)
    assert [example.trace_id for example in collect(burning())] == [trace_id]


def test_spans_that_come_late_are_added_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    outer, *inner = spans_of("a" * 32, FAILING, failed=True)
    record_spans([outer], FAILING)
    incident = burning()
    assert [(len(example.spans), example.what) for example in collect(incident)] == [
        (1, "checkout POST /checkout: failed")
    ]
    record_spans(inner, FAILING)
    [example] = collect(incident)
    assert len(example.spans) == 3
    assert example.what.startswith("provider-b")


def test_later_looks_add_what_is_new_up_to_eight() -> None:
    incident = burning()
    requests(FAILING, 10, failed=True)
    assert len(collect(incident)) == 4
    requests(NOON - MINUTE, 10)
    requests(FAILING + 20 * SECOND, 10, failed=True)
    assert len(collect(incident)) == 8
    assert len(collect(incident)) == 8
    incident.refresh_from_db()
    assert incident.examples_due_at is None


def test_the_next_looks_are_a_quarter_and_a_whole_minute_after_the_first() -> None:
    incident = burning()
    now, dues = incident.examples_due_at, []
    assert now is not None
    first = now
    while now is not None:
        examples.collect(incident.pk, now)
        incident.refresh_from_db()
        now = incident.examples_due_at
        dues.append(now and now - first)
    assert dues == [15 * SECOND, 60 * SECOND, None]


def test_a_second_worker_does_not_look_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = burning()
    request(FAILING, failed=True)
    looks: list[int] = []
    ask = exemplars.bad

    def meanwhile(*arguments: Any) -> list[str]:
        looks.append(examples.collect(incident.pk, NOON + 3 * MINUTE + SECOND))
        return ask(*arguments)

    monkeypatch.setattr(exemplars, "bad", meanwhile)
    assert len(collect(incident)) == 1
    assert looks == [0]


def test_a_worker_that_dies_while_looking_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = burning()
    request(FAILING, failed=True)
    with monkeypatch.context() as dying:
        dying.setattr(exemplars, "bad", die)
        with pytest.raises(KeyboardInterrupt):
            collect(incident)
    incident.refresh_from_db()
    assert examples.due(NOON + 3 * MINUTE + examples.LEASE).get() == incident
    assert len(collect(incident)) == 1


def test_a_store_that_fails_is_named_and_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    trace_id = request(FAILING, failed=True)
    monkeypatch.setattr(exemplars, "bad", failing("Prometheus cannot be reached."))
    monkeypatch.setattr(stores, "log_stores", lambda patience: [Broken()])
    incident = burning()
    assert [example.trace_id for example in collect(incident)] == [trace_id]
    incident.refresh_from_db()
    assert incident.examples_error == "Prometheus cannot be reached. The log store is away."


def test_an_error_is_gone_when_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    incident = burning()
    with monkeypatch.context() as away:
        away.setattr(exemplars, "bad", failing("Prometheus cannot be reached."))
        collect(incident)
    collect(incident)
    incident.refresh_from_db()
    assert incident.examples_error == ""


def test_when_time_is_up_the_next_look_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    requests(FAILING, 10, failed=True)
    monkeypatch.setattr(examples, "PATIENCE", 0.0)
    incident = burning()
    assert collect(incident) == []
    incident.refresh_from_db()
    assert incident.examples_due_at is not None


def test_the_timeline_says_once_that_examples_were_kept() -> None:
    incident = burning()
    request(FAILING, failed=True)
    collect(incident)
    collect(incident)
    assert TimelineEntry.objects.get(icon="trace").title == "Kept 1 bad request as an example."


def test_a_resolved_incident_is_not_looked_at_again() -> None:
    incident = burning()
    Incident.objects.update(state=Incident.State.RESOLVED)
    request(FAILING, failed=True)
    assert collect(incident) == []


def test_the_best_example_is_a_failed_one_that_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    requests(FAILING, 2)
    request(FAILING, failed=True)
    incident = burning()
    collect(incident)
    best = best_example(incident)
    assert best is not None
    assert (best.role, best.span_id) == ("bad", f"{3:016x}")


def test_a_trace_of_thousands_of_spans_is_kept_in_part() -> None:
    first, *_ = spans_of("a" * 32, FAILING, failed=True)
    names = first.__slots__
    many = [
        type(first)(
            **{name: getattr(first, name) for name in names} | {"span_id": f"{n:016x}", "parent_id": f"{1:016x}"}
        )
        for n in range(2, 3000)
    ]
    record_spans([first, *many], FAILING)
    [example] = collect(burning())
    assert frozen.MOST_SPANS <= len(example.spans) <= frozen.MOST_SPANS + 1
    assert example.span_id in {span["span_id"] for span in example.spans}


class Broken:
    def lines_of(self, *arguments: object, **options: object) -> list[Any]:
        raise Unreachable("The log store is away.")

    def search(self, query: TraceQuery) -> list[Any]:
        raise Unreachable("The log store is away.")


def failing(message: str) -> Callable[..., list[str]]:
    def fail(*arguments: object) -> list[str]:
        raise Unreachable(message)

    return fail


def die(*arguments: object) -> list[str]:
    raise KeyboardInterrupt
