"""The preview of a draft: what its window would have looked like, and which alerts would have fired."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from connectors.errors import Unreachable
from slo.counting import Matcher, Sli
from slo.preview import POINTS, preview
from slo.tiers import WORKBOOK_TIERS, scaled_for
from tests.make import DAY, HOUR, MINUTE, NOON, tier
from tests.slo.stores import Scripted

SLI = Sli("events", "requests_total", (), (Matcher("code", "=~", "5.."),))
TARGET = Decimal("0.999")


def outage(at: datetime) -> tuple[float, float]:
    """100 requests a step, of which half fail for two hours of yesterday."""
    return (50, 100) if NOON - DAY < at <= NOON - DAY + 2 * HOUR else (0, 100)


def test_it_asks_once_for_the_whole_window() -> None:
    store = Scripted()
    found = preview(SLI, TARGET, 30 * DAY, WORKBOOK_TIERS, store, NOON + MINUTE)
    assert store.asked == [(NOON - 30 * DAY + HOUR, NOON, HOUR)]
    assert len(found.slices) == POINTS
    assert found.step == HOUR


@pytest.mark.parametrize("window", [HOUR, DAY, 7 * DAY, 28 * DAY, 30 * DAY, 90 * DAY])
def test_any_window_is_covered_by_few_steps(window: timedelta) -> None:
    found = preview(SLI, TARGET, window, scaled_for(window), Scripted(), NOON)
    assert len(found.slices) <= POINTS
    assert found.budget.totals.coverage == 1


def test_it_finds_the_alerts_that_would_have_fired() -> None:
    found = preview(SLI, TARGET, 7 * DAY, scaled_for(7 * DAY), Scripted(outage), NOON)
    page = found.tiers[0]
    assert page.problem is None
    assert page.detection == timedelta(seconds=12.096)
    assert len(page.episodes) == 1
    episode = page.episodes[0]
    assert NOON - DAY < episode.since <= NOON - DAY + HOUR
    assert episode.until is not None
    assert episode.until > NOON - DAY + 2 * HOUR
    assert "above 3.36×" in episode.reason


def test_it_counts_the_budget_of_the_whole_window() -> None:
    found = preview(SLI, TARGET, 7 * DAY, [], Scripted(outage), NOON)
    assert found.budget.totals.bad == 50 * 8
    assert found.left[0][1] == 1
    assert found.left[-1][1] == found.budget.left
    assert found.unmeasured_because == ""


def test_an_alert_that_still_fires_has_no_end() -> None:
    found = preview(SLI, TARGET, DAY, scaled_for(DAY), Scripted(lambda at: (50, 100)), NOON)
    assert [len(one.episodes) for one in found.tiers] == [1, 1, 1, 1]
    assert found.tiers[0].episodes[0].until is None


def test_without_data_it_says_why_and_fires_nothing() -> None:
    found = preview(SLI, TARGET, DAY, scaled_for(DAY), Scripted(lambda at: None), NOON)
    assert found.budget.left is None
    assert "No series matches requests_total" in found.unmeasured_because
    assert all(not one.episodes for one in found.tiers)
    assert {left for _, left in found.left} == {None}


def test_without_traffic_all_of_the_budget_is_left() -> None:
    found = preview(SLI, TARGET, DAY, [], Scripted(lambda at: (0, 0)), NOON)
    assert {left for _, left in found.left} == {1}


def test_a_tier_that_can_never_fire_says_so() -> None:
    found = preview(SLI, Decimal("0.9"), 30 * DAY, [tier()], Scripted(), NOON)
    assert found.tiers[0].problem is not None
    assert found.tiers[0].detection is None


def test_a_store_that_does_not_answer_is_the_callers_to_show() -> None:
    def down(count: int) -> None:
        raise Unreachable("Nothing listens there.")

    with pytest.raises(Unreachable):
        preview(SLI, TARGET, DAY, [], Scripted(meanwhile=down), NOON)
