"""What drafts are tried on: read once, in parts, the newest first, and kept for whoever goes on typing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Unreachable
from connectors.raw_samples import Samples
from slo import recordings
from slo.counting import Matcher, Sli
from slo.definition import Budgeting, Definition
from slo.instants import floor
from slo.models import Recording
from slo.periods import Window
from slo.recordings import Question, Recorded, fill, load, missing, question
from slo.tape import Tape
from telemetry.models import Source
from tests.make import DAY, HOUR, MINUTE, NOON, make_source
from tests.slo.stores import Scripted

pytestmark = pytest.mark.django_db

SLI = Sli("events", "requests_total", (), (Matcher("code", "=~", "5.."),))
NOW = NOON + 15 * timedelta(seconds=1)
A_DAY, EVENTS = Window(DAY), Budgeting()
ENOUGH, AT_ONCE = timedelta(minutes=1), timedelta(0)


def draft(window: Window = A_DAY, sli: Sli = SLI, **changed: Any) -> Definition:
    return Definition("Availability", sli, Decimal("0.999"), window, **changed)


def recorded(source: Source, definition: Definition, now: datetime = NOW) -> Recorded:
    return load(question(source, definition, now))


def tape_of(found: Recorded, budgeting: Budgeting = EVENTS) -> Tape:
    return found.tapes(budgeting)[()]


def test_a_window_is_read_in_parts_from_the_newest_backwards() -> None:
    found, store = recorded(make_source(), draft()), Scripted()
    fill(found, store, NOW, AT_ONCE)
    assert found.begins == NOON - 6 * HOUR
    assert found.progress == 0.25
    fill(found, store, NOW, ENOUGH)
    assert (found.begins, found.progress, found.complete) == (NOON - DAY, 1, True)
    assert [end for _, end in store.asked] == [NOON - n * 6 * HOUR for n in range(4)]


def test_what_was_read_is_not_asked_for_again() -> None:
    source, store = make_source(), Scripted(lambda at: (2, 10))
    first = recorded(source, draft())
    fill(first, store, NOW, ENOUGH)
    asked = len(store.asked)
    again = recorded(source, draft())
    fill(again, store, NOW, ENOUGH)
    assert len(store.asked) == asked
    assert tape_of(again) == tape_of(first)
    assert sum(tape_of(again).bad) == 2 * 24 * 60


@pytest.mark.parametrize(
    "changed",
    [
        {"target": Decimal("0.9")},
        {"window": Window(HOUR)},
        {"sli": replace(SLI, threshold=None)},
        {"budget_alerts": (), "no_data": None},
    ],
    ids=["target", "window", "nothing", "alerts"],
)
def test_another_target_window_or_rule_is_tried_on_the_same_recording(changed: Mapping[str, Any]) -> None:
    source = make_source()
    assert question(source, replace(draft(), **changed), NOW).key == question(source, draft(), NOW).key


def test_another_source_sli_or_length_of_slices_is_another_recording() -> None:
    source = make_source()
    slices = Budgeting("timeslices", 5 * MINUTE, Decimal("0.9"))
    keys = {
        question(source, draft(), NOW).key,
        question(make_source(), draft(), NOW).key,
        question(source, draft(sli=replace(SLI, marks="good")), NOW).key,
        question(source, draft(sli=replace(SLI, group_by=("region",))), NOW).key,
        question(source, draft(budgeting=slices), NOW).key,
    }
    assert len(keys) == 5


def test_a_source_that_moved_is_asked_anew() -> None:
    source = make_source()
    before = question(source, draft(), NOW).key
    source.url = "http://127.0.0.1:10"
    assert question(source, draft(), NOW).key != before


def test_a_threshold_is_the_same_however_it_was_written() -> None:
    source, one = make_source(), Sli("latency", "seconds", threshold=Decimal("0.250000000"))
    other = replace(one, threshold=Decimal("0.25"))
    assert question(source, draft(sli=one), NOW).key == question(source, draft(sli=other), NOW).key


def test_while_somebody_types_the_newest_slices_are_not_chased() -> None:
    source, store = make_source(), Scripted()
    fill(recorded(source, draft()), store, NOW, ENOUGH)
    store.asked.clear()
    later = recorded(source, draft(), NOW + 4 * MINUTE)
    fill(later, store, NOW + 4 * MINUTE, ENOUGH)
    assert (store.asked, later.complete, tape_of(later).end) == ([], True, NOON)


def test_later_on_only_the_newest_slices_are_read() -> None:
    source, store = make_source(), Scripted()
    fill(recorded(source, draft()), store, NOW, ENOUGH)
    store.asked.clear()
    later = recorded(source, draft(), NOW + HOUR)
    fill(later, store, NOW + HOUR, ENOUGH)
    assert [end for _, end in store.asked] == [NOON + HOUR]
    assert (later.complete, tape_of(later).end, len(tape_of(later).ends)) == (True, NOON + HOUR, 25 * 60)


def test_somebody_else_who_reads_the_same_meanwhile_does_no_harm() -> None:
    source = make_source()
    definition = draft()
    store = Scripted(meanwhile=lambda _: fill(recorded(source, definition), Scripted(), NOW, ENOUGH))
    found = recorded(source, definition)
    fill(found, store, NOW, ENOUGH)
    assert Recording.objects.count() == 4
    assert tape_of(recorded(source, definition)) == tape_of(found)


def test_a_store_that_fails_half_way_leaves_what_was_read() -> None:
    source = make_source()
    found = recorded(source, draft())
    fill(found, Scripted(), NOW, AT_ONCE)

    def down(_: int) -> None:
        raise Unreachable("Nothing listens there.")

    with pytest.raises(Unreachable):
        fill(found, Scripted(meanwhile=down), NOW, ENOUGH)
    assert recorded(source, draft()).progress == 0.25


def test_an_sli_that_lacks_a_part_is_the_callers_to_show() -> None:
    with pytest.raises(ValueError, match="Nothing marks the bad ones"):
        fill(recorded(make_source(), draft(sli=Sli("events", "requests_total"))), Scripted(), NOW, ENOUGH)


def test_what_nobody_needed_for_a_day_is_dropped() -> None:
    source, other = make_source(), make_source()
    fill(recorded(source, draft()), Scripted(), NOW, ENOUGH)
    fill(recorded(other, draft(), NOW + 25 * HOUR), Scripted(), NOW + 25 * HOUR, AT_ONCE)
    assert recorded(source, draft()).pieces == []


def test_time_slices_are_judged_anew_for_every_share() -> None:
    source = make_source()
    strict, mild = (Budgeting("timeslices", 5 * MINUTE, Decimal(share)) for share in ("0.95", "0.5"))
    found = recorded(source, draft(budgeting=strict))
    fill(found, Scripted(lambda at: (2, 10)), NOW, ENOUGH)
    assert sum(tape_of(found, strict).bad) == 24 * 12
    assert sum(tape_of(recorded(source, draft(budgeting=mild)), mild).bad) == 0


def test_slices_that_were_not_measured_stay_so() -> None:
    source = make_source()
    gone = Scripted(lambda at: None if at > NOON - 12 * HOUR else (1, 10))
    fill(recorded(source, draft()), gone, NOW, ENOUGH)
    slices = tape_of(recorded(source, draft())).slices()
    assert [one.total for one in slices[:2]] == [10, 10]
    assert (slices[-1].total, slices[-1].bad) == (None, None)


def test_a_long_window_takes_the_slices_of_history() -> None:
    assert question(make_source(), draft(Window(90 * DAY)), NOW).length == 5 * MINUTE
    assert question(make_source(), draft(Window(30 * DAY)), NOW).length == MINUTE


def test_a_calendar_window_looks_back_over_a_whole_period() -> None:
    asked = question(make_source(), draft(Window(30 * DAY, "month")), NOW)
    assert asked.start == NOON - 30 * DAY


@given(
    parts=st.lists(st.tuples(st.integers(0, 100), st.integers(1, 20)), max_size=6),
    length=st.sampled_from([MINUTE, 5 * MINUTE, HOUR]),
)
def test_what_is_missing_and_what_is_known_make_the_whole(parts: list[tuple[int, int]], length: timedelta) -> None:
    start = NOON - 4 * DAY
    asked = Question("", SLI, length, start, NOON)
    cells = dict[datetime, datetime]()
    for place, count in parts:
        cell = floor(start, asked.unit) + place % 17 * asked.unit
        cells[cell] = min(cell + min(asked.unit, count * length), NOON)
    known = [(left, right) for left, right in cells.items() if left < right]
    found = sorted([*known, *missing(known, asked)])
    assert found[0][0] <= start
    assert found[-1][1] == NOON
    assert all(one[1] == other[0] for one, other in pairwise(found))


def test_a_gap_hides_what_lies_before_it() -> None:
    asked = Question("", SLI, MINUTE, NOON - DAY, NOON)
    pieces = [recordings.Piece(NOON - n * HOUR, NOON - n * HOUR + HOUR, {}) for n in (5, 2, 1)]
    assert Recorded(asked, pieces).begins == NOON - 2 * HOUR


class Tenants(Scripted):
    """Each tenant sends as many requests a minute as its number; none fails."""

    def raw(self, selector: str, start: datetime, end: datetime) -> list[Samples]:
        if "process_start_time_seconds" in selector:
            return super().raw(selector, start, end)
        first = floor(start, MINUTE) + MINUTE
        ats = [(first + n * MINUTE).timestamp() for n in range((end - first) // MINUTE + 1)]
        return [
            Samples(_tenant(number), ats, [number * at for at in ats]) for number in range(recordings.MOST_GROUPS + 3)
        ]


def _tenant(number: int) -> dict[str, str]:
    own = {"code": "200", "tenant": str(number)}
    return {"__name__": "requests_total", "job": "shop", "instance": "a"} | own


def test_of_many_groups_the_busiest_are_kept_and_the_others_counted() -> None:
    found = recorded(make_source(), draft(sli=replace(SLI, group_by=("tenant",))))
    fill(found, Tenants(), NOW, ENOUGH)
    kept = {dict(group)["tenant"] for group in found.tapes(Budgeting())}
    assert kept == {str(number) for number in range(3, recordings.MOST_GROUPS + 3)}
    assert found.others == 3
