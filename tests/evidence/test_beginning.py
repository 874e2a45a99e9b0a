"""Since when: from counts of bad requests, and from traces where nobody says which ones are bad."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

from connectors.telemetry import to_ns
from evidence import beginning
from evidence.case import Bad, Interval
from evidence.count_table import CountTable, Request, of_requests
from tests.evidence.traffic import BASELINE, INCIDENT, MS, Step, Traffic, call, make_inquiry

MINUTE = timedelta(minutes=1)
ONSET = INCIDENT.start + 3 * MINUTE
FAILING = make_inquiry(Bad(error=True))


def counted(bad_since: datetime, share: int = 5, spacing: timedelta = timedelta(seconds=2)) -> CountTable:
    """Requests at even times, of which one in `share` is bad since then."""
    number = int((INCIDENT.end - BASELINE.start) / spacing)
    times = [BASELINE.start + place * spacing for place in range(number)]
    return of_requests(Request(to_ns(at), at >= bad_since and not place % share) for place, at in enumerate(times))


def began(counts: CountTable) -> datetime | None:
    found = beginning.of_counts(FAILING, counts)
    return found.onset.at if found else None


def web(own: float, pay: float, failed: bool = False, pays: bool = True) -> Step:
    bank = call("pay", Step("bank", "authorize", own=pay, status="error" if failed else "unset"))
    return Step("web", "checkout", (call("web", Step("pay", "charge", (bank,))),) if pays else (), own=own)


def served(wrong: Step, count: int = 400) -> Traffic:
    """Requests at even times, which differ a little, and from the onset on half of them are the wrong one."""
    made, drawn = Traffic(), random.Random(3)
    length = INCIDENT.end - BASELINE.start
    for number in range(count):
        at = BASELINE.start + length * (number / count)
        broken = at >= ONSET and drawn.random() < 0.5
        made.add(at, wrong if broken else web(20 * drawn.lognormvariate(0, 0.1), 20 * drawn.lognormvariate(0, 0.1)))
    return made


def test_it_began_in_the_minute_from_which_on_more_requests_are_bad():
    assert began(counted(ONSET)) == ONSET


def test_it_may_have_begun_as_late_as_the_next_minute():
    found = beginning.of_counts(FAILING, counted(ONSET))
    assert found is not None
    assert found.onset.latest >= ONSET + MINUTE


def test_it_may_have_begun_before_anybody_noticed():
    assert began(counted(INCIDENT.start - 4 * MINUTE)) == INCIDENT.start - 4 * MINUTE


def test_counts_of_whole_minutes_are_not_moved_into_slices_that_begin_between_them():
    shifted = replace(FAILING, incident=Interval(INCIDENT.start + MINUTE / 2, INCIDENT.end))
    by_minute = [
        Request(to_ns(BASELINE.start + minute * MINUTE), minute >= 33 and place < 5)
        for minute in range(40)
        for place in range(20)
    ]
    found = beginning.of_counts(shifted, of_requests(by_minute))
    assert found is not None
    assert found.onset.at == ONSET


def test_a_steady_share_of_bad_requests_has_no_onset():
    assert began(counted(BASELINE.start, share=50)) is None


def test_counts_of_another_time_tell_nothing():
    early = [Request(to_ns(BASELINE.start - timedelta(hours=3)), bad=True)]
    assert began(of_requests(early)) is None


def test_the_finding_says_from_what_to_what_and_when():
    found = beginning.of_counts(FAILING, counted(ONSET))
    assert found is not None
    [finding] = beginning.report(found).findings
    assert finding.statement == "Bad requests rose from 0 % to 20 % at 12:33\N{NO-BREAK SPACE}UTC."
    assert finding.confidence > 0.9


def off(wrong: Step) -> tuple[float, str, str]:
    """How many seconds it is said to have begun too late, of what, and what is said to have risen."""
    found = beginning.of_traces(make_inquiry(), served(wrong).table())
    assert found is not None
    return abs((found.onset.at - ONSET).total_seconds()), found.service, found.what


def test_where_nobody_says_what_is_bad_it_began_when_requests_took_longer_than_they_ever_did():
    seconds, _, what = off(web(20, 400))
    assert seconds <= 60
    assert "took longer than" in what


def test_a_service_that_nobody_waits_for_tells_it_too():
    """The request itself is as fast as ever."""
    late = Step("mail", "send", own=900, detached=True)
    usual = Step("mail", "send", own=30, detached=True)
    made, drawn = Traffic(), random.Random(5)
    for number in range(400):
        at = BASELINE.start + (INCIDENT.end - BASELINE.start) * (number / 400)
        own = 20 * drawn.lognormvariate(0, 0.1)
        made.add(at, Step("web", "checkout", (late if at >= ONSET else usual,), own=own))
    found = beginning.of_traces(make_inquiry(), made.table())
    assert found is not None
    assert found.service == "mail"
    assert abs(found.onset.at - ONSET) <= MINUTE


def test_requests_that_break_off_early_tell_it_where_spans_have_no_status():
    assert off(web(20, 20, pays=False))[2] == "Requests that broke off early"


def test_requests_with_a_failed_step_tell_it():
    assert off(web(20, 20, failed=True))[2] == "Requests with a failed step"


def test_traces_that_are_as_ever_tell_no_onset():
    assert beginning.of_traces(make_inquiry(), served(web(20, 20)).table()) is None


def test_few_requests_of_a_baseline_do_not_say_what_is_usual():
    assert beginning.of_traces(make_inquiry(), served(web(20, 400), count=20).table()) is None


def test_durations_are_compared_within_one_operation():
    """An upload takes long and always did; more of them is no fault."""
    made = Traffic()
    for number in range(600):
        at = BASELINE.start + (INCIDENT.end - BASELINE.start) * (number / 600)
        slow = number % (2 if at >= ONSET else 5) == 0
        ms = (900 if slow else 20) + number % 7
        made.add(at, Step("web", "upload" if slow else "view", own=ms))
    assert made.spans[0].duration_ns >= 20 * MS
    assert beginning.of_traces(make_inquiry(), made.table()) is None
