"""When alerts fired, and how two definitions differ in that."""

from datetime import datetime, timedelta

from slo.absence import Absence
from slo.definition import USUAL_BUDGET_ALERTS
from slo.episodes import Episode, compared, episodes, told
from slo.groups import Group
from slo.judgement import Rule
from slo.replay import Event
from slo.states import State
from slo.windows import NOTHING
from tests.make import HOUR, MINUTE, NOON, tier

PAGE, SLOW, TICKET = tier(), tier(long=6 * HOUR), tier("ticket")
EU: Group = (("region", "eu"),)


def event(rule: Rule, at: datetime, new: State, silenced: bool = False) -> Event:
    old: State = "firing" if new == "resolved" else "inactive"
    return Event(at, rule, old, new, f"{new} at {at:%H:%M}", Absence(NOTHING, True), silenced)


def episode(since: timedelta, until: timedelta | None, rule: Rule = PAGE, group: Group = ()) -> Episode:
    return Episode(rule, NOON + since, None if until is None else NOON + until, "", group=group)


def test_what_fired_and_resolved_again_is_two_episodes_and_the_last_may_last() -> None:
    found = episodes(
        [
            event(PAGE, NOON, "firing"),
            event(SLOW, NOON + MINUTE, "firing"),
            event(PAGE, NOON + HOUR, "resolved"),
            event(PAGE, NOON + 2 * HOUR, "firing"),
            event(SLOW, NOON + 3 * HOUR, "resolved"),
        ],
        EU,
    )
    assert [(one.rule, one.since, one.until) for one in found] == [
        (PAGE, NOON, NOON + HOUR),
        (SLOW, NOON + MINUTE, NOON + 3 * HOUR),
        (PAGE, NOON + 2 * HOUR, None),
    ]
    assert found[0].reason == "firing at 12:00"
    assert {one.group for one in found} == {EU}


def test_of_a_silenced_ticket_and_of_a_spent_budget_no_pager_is_told() -> None:
    found = episodes(
        [
            event(PAGE, NOON, "firing"),
            event(TICKET, NOON, "firing", silenced=True),
            event(USUAL_BUDGET_ALERTS[0], NOON, "firing"),
        ]
    )
    assert [one.rule for one in told(found)] == [PAGE]


def test_another_tier_of_the_same_severity_at_the_same_time_tells_the_same() -> None:
    (pair,), gone = compared([episode(10 * MINUTE, HOUR)], [episode(0 * MINUTE, 30 * MINUTE, SLOW)])
    assert pair.later == 10 * MINUTE
    assert gone == []


def test_an_alert_that_fires_earlier_than_the_saved_one_says_so() -> None:
    (pair,), _ = compared([episode(-5 * MINUTE, None)], [episode(0 * MINUTE, HOUR)])
    assert pair.later == -5 * MINUTE


def test_a_ticket_is_no_page_and_another_group_is_another_trouble() -> None:
    ours = [episode(0 * MINUTE, HOUR, TICKET), episode(0 * MINUTE, HOUR, group=EU)]
    theirs = [episode(0 * MINUTE, HOUR)]
    pairs, gone = compared(ours, theirs)
    assert [pair.later for pair in pairs] == [None, None]
    assert gone == theirs


def test_what_was_over_before_is_gone_and_not_the_same() -> None:
    pairs, gone = compared([episode(2 * HOUR, None)], [episode(0 * MINUTE, HOUR)])
    assert pairs[0].other is None
    assert len(gone) == 1
