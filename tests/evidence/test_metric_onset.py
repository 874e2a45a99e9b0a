"""Since when, read from the flow's own metrics."""

import pytest

from evidence.case import Bad
from evidence.findings import NotInvestigated
from evidence.metric_onset import investigate
from evidence.series import SeriesTable
from tests.evidence.measured import MINUTE, NOON, NORMAL, WRONG, inquiry, noisy, series, served


def test_the_onset_is_the_minute_in_which_the_flow_became_slow() -> None:
    values = noisy(0.2, 0.8)
    values[NORMAL : NORMAL + 3] = noisy(0.2)[:3]
    [finding] = investigate(inquiry(), SeriesTable(tuple(served("shop", values)))).findings
    assert finding.question == "onset"
    assert finding.numbers["at"] == (NOON + 3 * MINUTE).isoformat()
    assert "at 12:03:00 UTC" in finding.statement


def test_a_fault_that_ends_before_the_incident_does_keeps_its_onset() -> None:
    values = noisy(0.2)
    values[NORMAL + 1 : NORMAL + 5] = [0.9, 0.8, 0.85, 0.9]
    [finding] = investigate(inquiry(), SeriesTable(tuple(served("shop", values)))).findings
    assert finding.numbers["at"] == (NOON + MINUTE).isoformat()


def test_errors_are_looked_at_when_they_are_what_is_bad() -> None:
    table = [*served("shop", noisy(0.2, 0.9)), series("error_ratio", [0.001] * NORMAL + [0.2] * WRONG, service="shop")]
    [finding] = investigate(inquiry(bad=Bad(error=True)), SeriesTable(tuple(table))).findings
    assert finding.statement == "The share of failed requests of shop rose from 0.1 % to 20 % at 12:00:00 UTC."


def test_a_steady_flow_has_no_onset() -> None:
    assert investigate(inquiry(), SeriesTable(tuple(served("shop", noisy(0.2))))).findings == ()


def test_the_metrics_of_other_services_are_not_those_of_the_flow() -> None:
    with pytest.raises(NotInvestigated, match="flow's requests"):
        investigate(inquiry(), SeriesTable(tuple(served("pay", noisy(0.2, 0.8)))))
