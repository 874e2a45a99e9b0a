"""Failed and slow traces stay, the others are thinned, and the store keeps within its bounds."""

import os
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import retention
from telemetry.models import StoredLog, StoredSpan, StoredTrace
from telemetry.store import record_logs, record_spans
from telemetry.tasks import prune
from tests.telemetry.spans import NOW, make_line, make_span, trace_id

LATER = NOW + timedelta(minutes=5)
database_test = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def no_sample(settings):
    settings.TRACE_SAMPLE = 0.0


def kept():
    return {int(trace, 16): kept for trace, kept in StoredTrace.objects.values_list("trace_id", "kept")}


# -- The sample ------------------------------------------------------------------------------------------------


def test_all_or_none_is_all_or_none():
    ids = [os.urandom(16).hex() for _ in range(100)] + ["f" * 32, "0" * 32]
    assert all(retention.sampled(trace, 1.0) for trace in ids)
    assert not any(retention.sampled(trace, 0.0) for trace in ids)


def test_the_sample_has_about_its_share():
    # 2 ** 56 / golden ratio: steps that fall evenly, so that no chance is involved.
    ids = [f"{number * 44534954720577681 % 2**56:032x}" for number in range(1, 10_001)]
    assert sum(retention.sampled(trace, 0.1) for trace in ids) == pytest.approx(1000, abs=5)


@given(st.integers(0, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_contains_the_smaller_one(number, one, other):
    small, large = sorted((one, other))
    assert retention.sampled(trace_id(number), large) or not retention.sampled(trace_id(number), small)


# -- Judging traces --------------------------------------------------------------------------------------------


@database_test
def test_failed_and_slow_traces_stay_and_an_ordinary_one_is_dropped(no_sample):
    record_spans(
        [
            make_span(1, status="error"),
            make_span(2, ms=1000),
            make_span(3, ms=999),
            make_span(4),
            make_span(4, 2, parent=1, kind="client", status="error"),
        ],
        NOW,
    )
    assert retention.settle(LATER) == (3, 1)
    assert kept() == {1: True, 2: True, 4: True}
    assert not StoredSpan.objects.filter(trace_id=trace_id(3)).exists()


@database_test
def test_waiting_in_a_queue_does_not_make_a_trace_slow(no_sample):
    record_spans([make_span(1), make_span(1, 2, parent=1, kind="consumer", at=NOW + timedelta(seconds=60))], NOW)
    assert retention.settle(LATER) == (0, 1)


@database_test
def test_the_sample_of_ordinary_traces_stays(settings):
    settings.TRACE_SAMPLE = 0.5
    record_spans([make_span(1), make_span(2**56 - 1)], NOW)
    assert retention.settle(LATER) == (1, 1)
    assert kept() == {2**56 - 1: True}


@database_test
def test_a_trace_is_not_judged_while_its_spans_still_arrive(no_sample):
    record_spans([make_span(1)], NOW)
    record_spans([make_span(1, 2, parent=1)], NOW + timedelta(seconds=90))
    assert retention.settle(NOW + timedelta(seconds=150)) == (0, 0)
    assert retention.settle(NOW + timedelta(seconds=210)) == (0, 1)


@database_test
def test_with_an_ordinary_trace_go_its_lines_but_not_its_warnings(no_sample):
    record_spans([make_span(1), make_span(2)], NOW)
    record_logs(
        [make_line("info", 1), make_line("warn", 1, severity=13), make_line("elsewhere"), make_line("other", 2)]
    )
    retention.settle(LATER)
    assert set(StoredLog.objects.values_list("body", flat=True)) == {"warn", "elsewhere"}


@database_test
def test_an_error_line_keeps_its_trace(no_sample):
    record_spans([make_span(1)], NOW)
    record_logs([make_line("failed", 1, severity=17), make_line("info", 1)])
    assert retention.settle(LATER) == (1, 0)
    assert StoredLog.objects.count() == 2


@database_test
def test_judging_again_changes_nothing(no_sample):
    record_spans([make_span(1, status="error"), make_span(2)], NOW)
    retention.settle(LATER)
    assert retention.settle(LATER) == (0, 0)
    assert kept() == {1: True}


@database_test
def test_an_error_that_arrives_late_is_kept_although_its_trace_is_gone(no_sample):
    record_spans([make_span(1)], NOW)
    retention.settle(LATER)
    record_spans([make_span(1, 2, parent=1, status="error")], LATER)
    retention.settle(LATER + timedelta(minutes=5))
    assert kept() == {1: True}


@database_test
def test_more_traces_than_fit_one_transaction_are_all_judged(no_sample, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 3)
    record_spans([make_span(number, status="error" if number % 2 else "unset") for number in range(1, 11)], NOW)
    assert retention.settle(LATER) == (5, 5)


# -- Bounds ----------------------------------------------------------------------------------------------------


@database_test
def test_what_is_older_than_allowed_goes(settings):
    settings.TELEMETRY_MAX_AGE = timedelta(hours=1)
    old = NOW - timedelta(hours=2)
    record_spans([make_span(1, at=old, status="error"), make_span(2)], NOW)
    record_logs([make_line("old", at=old, severity=21), make_line("new")])
    assert retention.expire(NOW) == 2
    assert set(kept()) == {2}
    assert StoredSpan.objects.count() == 1
    assert StoredLog.objects.get().body == "new"


@database_test
def test_nothing_goes_while_there_is_room(settings):
    settings.TELEMETRY_MAX_ROWS = 2
    record_spans([make_span(1)], NOW)
    record_logs([make_line("a")])
    assert retention.shrink() == 0


@database_test
def test_the_oldest_go_when_there_are_too_many(settings):
    settings.TELEMETRY_MAX_ROWS = 10
    for number in range(1, 11):
        at = NOW + timedelta(seconds=number)
        record_spans([make_span(number, 1, at=at), make_span(number, 2, 1, at=at)], NOW)
        record_logs([make_line(f"{number}", at=at)])
    retention.shrink()
    assert set(kept()) == {8, 9, 10}
    assert StoredSpan.objects.count() + StoredLog.objects.count() <= 10
    assert "10" in StoredLog.objects.values_list("body", flat=True)
    assert retention.shrink() == 0


@database_test
def test_a_flood_of_lines_does_not_drive_out_the_traces(settings):
    settings.TELEMETRY_MAX_ROWS = 50
    record_spans([make_span(number) for number in range(1, 6)], NOW)
    record_logs([make_line(f"{number}") for number in range(95)])
    retention.shrink()
    assert StoredTrace.objects.count() >= 2
    assert StoredTrace.objects.count() + StoredLog.objects.count() <= 50


@database_test
def test_the_task_judges_and_bounds(no_sample, settings):
    settings.TELEMETRY_MAX_ROWS = 1
    record_spans([make_span(1), make_span(2, status="error"), make_span(3, status="error", at=LATER)], NOW)
    prune(LATER.isoformat())
    assert set(kept()) == {3}
