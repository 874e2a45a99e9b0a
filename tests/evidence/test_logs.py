import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from connectors.telemetry import LogLine, to_ns
from evidence.findings import NotInvestigated, Report
from evidence.log_table import LogBuilder, from_lines
from evidence.logs import investigate
from tests.evidence.traffic import BASELINE, INCIDENT, Step, Traffic, call, make_inquiry, services, traffic

INFO, WARN, ERROR = 9, 13, 17


def booking(drawn: random.Random, broken: float = 0.0) -> Step:
    """web calls seats; where seats is broken, it stops after looking, and web complains."""
    failed = drawn.random() < broken
    number = drawn.randrange(10_000)
    looked = [(INFO, f"looking for seat {number}")]
    seats = Step("seats", "find", lines=(*looked, *(() if failed else ((INFO, f"found seat {number}"),))))
    complaint = ((ERROR, f"booking {number} failed"),) if failed else ((INFO, f"booked {number}"),)
    known = ((ERROR, "metrics agent not reachable"),) if drawn.random() < 0.3 else ()
    answer = Step("web", "answer", kind="internal", lines=complaint)
    return Step("web", "POST /book", (call("web", seats), answer), lines=known)


def report(during: Callable[[random.Random], Step], before: Callable[[random.Random], Step] = booking) -> Report:
    made = traffic(before, during)
    return investigate(make_inquiry(), made.log_table(), made.table())


def broken(drawn: random.Random) -> Step:
    return booking(drawn, 0.5)


def test_a_statement_that_no_longer_follows_points_at_the_code_between_and_not_at_the_caller_that_complains():
    found = report(broken)
    assert (found.suspicions[0].service, found.suspicions[0].kind) == ("seats", "code")
    assert "after “looking for seat <*>”, “found seat <*>” followed in 60 of 60" in found.findings[0].statement


def test_a_new_error_is_told_with_its_count_and_an_example():
    found = report(broken)
    (new,) = [one for one in found.findings if "× ERROR “booking <*> failed”" in one.statement]
    assert "never seen before" in new.statement
    assert new.references[0].text.startswith("booking ")


def test_an_error_that_is_always_written_is_not_told():
    assert not any("metrics agent" in one.statement for one in report(broken).findings)


def test_another_mix_of_requests_is_no_new_behaviour():
    def searching(drawn: random.Random) -> Step:
        lines = ((INFO, "searching"), (WARN, "index is cold"))
        return Step("web", "GET /search", (call("web", Step("index", "find", lines=lines)),))

    def mixed(part: float) -> Callable[[random.Random], Step]:
        return lambda drawn: searching(drawn) if drawn.random() < part else booking(drawn)

    assert report(mixed(0.8), mixed(0.2)).suspicions == ()


@pytest.mark.parametrize("seed", range(6))
def test_a_quiet_system_is_suspected_of_nothing(seed: int):
    made = Traffic()
    made.fill(BASELINE, lambda drawn: booking(drawn, 0.1), 80, seed)
    made.fill(INCIDENT, lambda drawn: booking(drawn, 0.1), 80, seed + 50)
    assert investigate(make_inquiry(), made.log_table(), made.table()).suspicions == ()


def test_without_spans_new_errors_of_requests_or_none_are_counted_by_time():
    start, incident = to_ns(BASELINE.start), to_ns(INCIDENT.start)
    step = 10**9
    calm = [LogLine(start + n * step, INFO, f"served {n}", "web") for n in range(2400)]
    failing = [LogLine(incident + n * 2 * step, ERROR, f"cannot reach bank after {n} ms", "pay") for n in range(300)]
    quiet = [LogLine(start + n * step, INFO, f"paid {n}", "pay") for n in range(2400)]
    found = investigate(make_inquiry(), from_lines([*calm, *quiet, *failing]))
    assert services(found.suspicions) == ["pay"]
    assert "cannot reach bank after <*> ms" in found.findings[0].statement


def test_lines_written_before_or_during_only_cannot_be_compared():
    lines = [LogLine(to_ns(INCIDENT.start + timedelta(seconds=n)), INFO, "served", "web") for n in range(10)]
    with pytest.raises(NotInvestigated):
        investigate(make_inquiry(), from_lines(lines))


def test_no_lines_cannot_be_compared():
    with pytest.raises(NotInvestigated, match="No log lines"):
        investigate(make_inquiry(), LogBuilder().table())
