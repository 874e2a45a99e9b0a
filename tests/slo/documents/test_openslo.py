"""OpenSLO documents: what they mean here, and what is said about what they cannot mean."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from slo import documents
from slo.counting import Matcher, Sli
from slo.definition import (
    USUAL_BUDGET_ALERTS,
    USUAL_NO_DATA,
    BudgetAlert,
    Budgeting,
    Definition,
    NoDataAlert,
)
from slo.documents.carried import Carried
from slo.documents.tree import Unreadable
from slo.periods import Window
from slo.tiers import Tier, scaled_for
from tests.make import DAY, HOUR, MINUTE
from tests.slo.documents.samples import ERRORS, REQUESTS, document, gauge, query, ratio, slo, text

SHOP = Matcher("service", "=", "shop")
BURNING = {
    "kind": "burnrate",
    "op": "gt",
    "threshold": 14.4,
    "lookbackWindow": "1h",
}


def read(*parts: dict[str, Any]) -> Definition:
    (found,) = documents.read(text(*parts))
    return found


def carry(*parts: dict[str, Any]) -> Carried:
    return documents.carry({"shop.yaml": text(*parts)})


def refusal(*parts: dict[str, Any]) -> str:
    with pytest.raises(Unreadable) as caught:
        carry(*parts)
    return str(caught.value)


# -- What is counted
def test_plain_selectors_of_counters_are_counted_exactly() -> None:
    assert read(slo()).sli == Sli("events", "http_requests_total", (SHOP,), (Matcher("code", "=~", "5.."),))


def test_good_events_may_be_marked_instead() -> None:
    good = 'http_requests_total{service="shop",code!~"5.."}'
    sli = read(slo(indicator=ratio(good, REQUESTS, "good"))).sli
    assert (sli.marks, sli.bad_matchers) == ("good", (Matcher("code", "!~", "5.."),))


def test_another_counter_may_hold_the_bad_events() -> None:
    sli = read(slo(indicator=ratio('failures_total{service="shop"}'))).sli
    assert (sli.metric, sli.bad_metric, sli.bad_matchers) == ("http_requests_total", "failures_total", (SHOP,))


def test_the_same_counter_may_be_chosen_by_other_labels() -> None:
    sli = read(slo(indicator=ratio('http_requests_total{code=~"5.."}'))).sli
    assert (sli.bad_metric, sli.bad_matchers) == ("http_requests_total", (Matcher("code", "=~", "5.."),))


@pytest.mark.parametrize("total", ["d_seconds_count{a='b'}", "d_seconds_bucket{a='b',le='+Inf'}"])
def test_a_bucket_of_a_histogram_is_a_latency(total: str) -> None:
    sli = read(slo(indicator=ratio("d_seconds_bucket{le='0.50',a='b'}", total, "good"))).sli
    assert sli == Sli("latency", "d_seconds", (Matcher("a", "=", "b"),), threshold=Decimal("0.5"))


@pytest.mark.parametrize(
    ("good", "total"),
    [
        ("d_bucket{le='1'}", "other_count"),
        ("d_bucket{le=~'1|2'}", "d_count"),
        ("d_bucket{le='1',a='b'}", "d_count"),
        ("d_bucket{le='+Inf'}", "d_count"),
    ],
)
def test_other_buckets_are_plain_counters(good: str, total: str) -> None:
    assert read(slo(indicator=ratio(good, total, "good"))).sli.kind == "events"


def test_expressions_are_counted_as_they_say() -> None:
    bad, total = "sum(increase(a[{{window}}]))", "sum(increase(b[{{window}}]))"
    assert read(slo(indicator=ratio(bad, total, counter=False))).sli == Sli(
        "events", bad_expression=bad, total_expression=total
    )


def test_counters_that_are_not_said_to_be_counters_are_pointed_out() -> None:
    assert any("counter: true" in loss for loss in carry(slo(indicator=ratio(counter=False))).losses)


def test_the_growth_of_a_counter_by_expression_is_counted() -> None:
    carried = carry(slo(indicator=ratio("max(a_total)", "max(b_total)")))
    sli = carried.definitions[0].sli
    assert "max(a_total)" in sli.bad_expression
    assert "offset {{window}}" in sli.bad_expression
    assert any("growth" in loss for loss in carried.losses)


def test_a_query_that_answers_a_ratio_weighs_each_slice_the_same_and_that_is_said() -> None:
    raw = {"spec": {"ratioMetric": {"rawType": "success", "raw": query("good_ratio")}}}
    carried = carry(slo(indicator=raw))
    assert carried.definitions[0].sli.bad_expression == "1 - (\ngood_ratio\n)"
    assert "weighs the same" in carried.losses[0]


def test_a_threshold_metric_is_a_gauge() -> None:
    found = read(slo(indicator=gauge("queue_length"), objectives=[{"op": "lte", "value": 100, "target": 0.99}]))
    assert found.sli == Sli("gauge", expression="queue_length", threshold=Decimal(100))


def test_annotations_say_what_openslo_has_no_kinds_for() -> None:
    fresh = slo(
        annotations={"kind": "freshness"},
        indicator=gauge("time() - (last_success_timestamp)"),
        objectives=[{"op": "lte", "value": 300, "target": 0.99}],
    )
    assert read(fresh).sli == Sli("freshness", expression="last_success_timestamp", threshold=Decimal(300))
    up = slo(
        annotations={"kind": "bool", "group-by": "instance"},
        indicator=gauge("probe_success"),
        objectives=[{"op": "gte", "value": 1, "target": 0.99}],
    )
    assert read(up).sli == Sli("bool", expression="probe_success", group_by=("instance",))


def test_an_sli_may_stand_in_a_document_of_its_own() -> None:
    named = slo(indicatorRef="requests")
    del named["spec"]["indicator"]
    carried = carry(named, document("SLI", "requests", **ratio()))
    assert carried.definitions == [read(slo())]
    assert carried.losses == []


def test_the_sum_of_counters_is_counted_as_the_counters_are() -> None:
    assert read(slo(indicator=ratio(f"sum({ERRORS})", f"sum({REQUESTS})"))) == read(slo())


def test_labels_may_have_several_values() -> None:
    labelled = slo()
    labelled["metadata"]["labels"] = {"team": "sales", "env": ["prod", "dev"]}
    carried = documents.carry({"shop.yaml": text(labelled)})
    assert carried.definitions[0].labels == {"team": "sales", "env": "prod, dev"}
    (loss,) = carried.losses
    assert "metadata.labels.env: A label has one value in Fireline, so the list was joined to 'prod, dev'" in loss


# -- Windows and budgets
@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({"duration": "1h", "isRolling": True}, Window(HOUR)),
        ({"duration": "1d12h", "isRolling": True}, Window(36 * HOUR)),
        ({"duration": "4w"}, Window(28 * DAY)),
        ({"duration": "1M", "isRolling": True}, Window(30 * DAY)),
        (
            {"duration": "1M", "isRolling": False, "calendar": {"startTime": "2024-01-01 00:00:00"}},
            Window(30 * DAY, "month", "UTC"),
        ),
        (
            {"duration": "1Q", "calendar": {"startTime": "2022-04-01 00:00:00", "timeZone": "Europe/Berlin"}},
            Window(90 * DAY, "quarter", "Europe/Berlin"),
        ),
    ],
)
def test_windows_are_rolling_or_follow_the_calendar(window: dict[str, Any], expected: Window) -> None:
    assert read(slo(timeWindow=[window])).window == expected


def test_a_budget_may_be_spent_by_time_slices() -> None:
    objective = {"targetPercent": 99.5, "timeSliceTarget": 0.95, "timeSliceWindow": "5m"}
    found = read(slo(budgetingMethod="Timeslices", objectives=[objective]))
    assert found.budgeting == Budgeting("timeslices", 5 * MINUTE, Decimal("0.95"))
    assert found.target == Decimal("0.995")


def test_averaged_ratios_are_replaced_by_counts_and_that_is_said() -> None:
    objective = {"target": 0.99, "timeSliceTarget": 0.95, "timeSliceWindow": "5m"}
    carried = carry(slo(budgetingMethod="RatioTimeslices", objectives=[objective]))
    assert carried.definitions[0].budgeting == Budgeting()
    assert any("averages ratios" in loss for loss in carried.losses)


def test_each_objective_of_an_slo_becomes_one_with_a_name_of_its_own() -> None:
    found = documents.read(text(slo(objectives=[{"target": 0.99}, {"displayName": "strict", "target": 0.999}])))
    assert [(one.name, one.target) for one in found] == [
        ("availability: 99%", Decimal("0.99")),
        ("availability: strict", Decimal("0.999")),
    ]


# -- Alerts
def test_without_a_word_on_alerts_the_usual_ones_apply() -> None:
    found = read(slo())
    assert found.tiers == scaled_for(30 * DAY, Decimal("0.999"))
    assert found.no_data == USUAL_NO_DATA


def test_annotations_say_alerts_exactly() -> None:
    found = read(
        slo(
            annotations={
                "tiers": "page 1h/5m 2%, ticket 3d / 6h 0.1",
                "budget-alerts": "page 100%",
                "no-data": "page 30m",
                "confidence": "none",
                "min-bad": "5",
            }
        )
    )
    assert found.tiers == (
        Tier("page", HOUR, 5 * MINUTE, Decimal("0.02")),
        Tier("ticket", 3 * DAY, 6 * HOUR, Decimal("0.1")),
    )
    assert found.budget_alerts == (BudgetAlert("page", Decimal(1)),)
    assert found.no_data == NoDataAlert("page", 30 * MINUTE)
    assert (found.policy.confidence, found.policy.min_bad) == (None, 5)


def test_none_means_no_alerts_at_all() -> None:
    found = read(slo(annotations={"tiers": "none", "budget-alerts": "none", "no-data": "none"}))
    assert (found.tiers, found.budget_alerts, found.no_data) == ((), (), None)


def test_a_burn_rate_condition_is_a_tier_and_its_short_window_is_added() -> None:
    policy = document(
        "AlertPolicy",
        "fast",
        spec={
            "conditions": [{"conditionRef": "burning"}],
            "notificationTargets": [{"targetRef": "mail"}],
        },
    )
    condition = document(
        "AlertCondition", "burning", spec={"severity": "page", "condition": BURNING | {"alertAfter": "5m"}}
    )
    target = document("AlertNotificationTarget", "mail", spec={"target": "email"})
    carried = carry(slo(alertPolicies=["fast"]), policy, condition, target)
    assert carried.definitions[0].tiers == (Tier("page", HOUR, 5 * MINUTE, Decimal("0.02")),)
    assert carried.definitions[0].no_data is None
    said = "\n".join(carried.losses)
    assert "short window of 5m was added" in said
    assert "Fireline has no delay" in said
    assert "Notifications" in said


def test_a_condition_as_in_openslos_examples_alerts_on_high_burn_rates() -> None:
    condition = {"metadata": {"name": "c"}, "spec": {"severity": "page", "condition": BURNING | {"op": "lte"}}}
    mail = {"kind": "AlertNotificationTarget", "metadata": {"name": "mail"}, "spec": {"target": "email"}}
    policy = {"metadata": {"name": "p"}, "spec": {"conditions": [condition], "notificationTargets": [mail]}}
    carried = carry(slo(alertPolicies=[policy]))
    assert len(carried.definitions[0].tiers) == 1
    assert [loss.split(": ")[0].split(", ")[-1] for loss in carried.losses] == [
        "spec.alertPolicies[0].spec.notificationTargets[0]",
        "spec.alertPolicies[0].spec.conditions[0].spec.condition.op",
        "spec.alertPolicies[0].spec.conditions[0].spec.condition",
    ]


def test_policies_may_stand_inline_with_their_short_window_annotated() -> None:
    condition = {
        "kind": "AlertCondition",
        "metadata": {"name": "c", "annotations": {"fireline.dev/short-window": "10m"}},
        "spec": {"severity": "warning", "condition": BURNING},
    }
    policy = {
        "kind": "AlertPolicy",
        "metadata": {"name": "p"},
        "spec": {"alertWhenNoData": True, "conditions": [condition]},
    }
    carried = carry(slo(alertPolicies=[policy]))
    assert carried.definitions[0].tiers == (Tier("ticket", HOUR, 10 * MINUTE, Decimal("0.02")),)
    assert carried.definitions[0].no_data == USUAL_NO_DATA
    assert carried.losses == []


@pytest.mark.parametrize(("asked", "silence"), [(True, USUAL_NO_DATA), (False, None)])
def test_policies_leave_the_usual_budget_alerts_and_say_themselves_whether_silence_alerts(
    asked: bool, silence: NoDataAlert | None
) -> None:
    condition = {"kind": "AlertCondition", "spec": {"severity": "page", "condition": BURNING}}
    policy = {"kind": "AlertPolicy", "spec": {"alertWhenNoData": asked, "conditions": [condition]}}
    found = read(slo(alertPolicies=[policy]))
    assert (len(found.tiers), found.budget_alerts, found.no_data) == (1, USUAL_BUDGET_ALERTS, silence)


# -- Services and sources
def test_a_service_gives_its_name_and_a_source_its_address() -> None:
    indicator = ratio()
    for metric in ("bad", "total"):
        indicator["spec"]["ratioMetric"][metric]["metricSource"]["metricSourceRef"] = "main"
    service = document("Service", "shop", spec={"description": "Sells."})
    service["metadata"] |= {"displayName": "The Shop", "annotations": {"fireline.dev/team": "sales"}}
    source = document(
        "DataSource", "main", spec={"type": "Prometheus", "connectionDetails": {"url": "http://prom:9090"}}
    )
    carried = carry(slo(indicator=indicator), service, source)
    (entry,) = carried.entries
    assert (entry.definition.flow, entry.service) == ("The Shop", "shop")
    assert (entry.source, entry.source_url) == ("main", "http://prom:9090")
    assert [(one.slug, one.team, one.description) for one in carried.services] == [("shop", "sales", "Sells.")]


# -- Nothing is dropped silently
def test_every_field_without_a_use_is_listed_with_its_place() -> None:
    lost = slo(tagret=0.99)
    lost["metadata"]["annotations"]["example.com/owner"] = "me"
    losses = carry(lost, document("SLI", "unused", spec=ratio()["spec"])).losses
    assert any(loss.startswith("shop.yaml, line ") and "spec.tagret" in loss for loss in losses)
    assert any("example.com/owner" in loss for loss in losses)
    assert any("SLI unused" in loss and "no SLO refers to it" in loss for loss in losses)


# -- What is wrong is said with its place
@pytest.mark.parametrize(
    ("parts", "path", "sentence"),
    [
        ([slo(objectives=[{"target": 1}])], "spec.objectives[0].target", "lies between 0 and 1"),
        ([slo(objectives=[{"target": "many"}])], "spec.objectives[0].target", "is not a number"),
        ([slo(objectives=[{"target": "Infinity"}])], "spec.objectives[0].target", "number is needed"),
        ([slo(objectives=[{}])], "spec.objectives[0].targetPercent", "This is needed"),
        ([slo(objectives=[{"target": 0.9, "targetPercent": 99}])], "targetPercent", "contradicts"),
        ([slo(objectives=[])], "spec.objectives", "needs an objective"),
        ([slo(objectives=[{"target": 0.9, "indicatorRef": "x"}])], "spec.objectives[0].indicatorRef", "composite"),
        ([slo(timeWindow=[])], "spec.timeWindow", "One time window"),
        ([slo(timeWindow=[{"duration": "soon", "isRolling": True}])], "duration", "is no duration"),
        ([slo(timeWindow=[{"duration": "1M", "isRolling": "maybe"}])], "isRolling", "true or false"),
        ([slo(timeWindow=[{"duration": "1d", "isRolling": False}])], "duration", "Calendar windows are"),
        ([slo(timeWindow=[{"duration": "1w", "calendar": {"startTime": "2024-01-02"}}])], "startTime", "on Monday"),
        ([slo(timeWindow=[{"duration": "1w", "calendar": {"timeZone": "Mars"}}])], "timeZone", "no time zone"),
        ([slo(timeWindow=[{"duration": "10m", "isRolling": True}])], "SLO availability", "is not possible"),
        ([slo(budgetingMethod="Guess")], "spec.budgetingMethod", "Write Occurrences"),
        ([slo(indicator=ratio(REQUESTS, REQUESTS))], "ratioMetric", "every event would be marked"),
        ([slo(indicator=ratio(""))], "spec.query", "is empty"),
        ([slo(indicator={"spec": {}})], "spec.indicator", "ratioMetric or a thresholdMetric"),
        ([slo(indicator=gauge("a"))], "spec.objectives[0].op", "This is needed"),
        ([slo(indicatorRef="missing")], "spec.indicatorRef", "no SLI named 'missing'"),
        ([slo(alertPolicies=["missing"])], "spec.alertPolicies[0]", "no AlertPolicy named"),
        ([slo(annotations={"teirs": "none"})], "fireline.dev/teirs", "knows no such annotation"),
        ([slo(annotations={"tiers": "page 1h 2%"})], "fireline.dev/tiers", "is no tier"),
        ([slo(annotations={"tiers": "page 5m/1m 90%"})], "SLO availability", "never fire"),
        ([slo(annotations={"confidence": "2"})], "fireline.dev/confidence", "between 0.5 and 1"),
        ([slo(annotations={"confidence": "0.9999"})], "SLO availability", "more digits than are kept"),
        ([slo(annotations={"min-bad": "0"})], "SLO availability", "At least 1 bad event"),
        ([slo(annotations={"budget-alerts": "page 150%"})], "SLO availability", "A budget alert tells when"),
        ([slo(description="a\0b")], "SLO availability", "a NUL sign"),
        ([slo(annotations={"no-data": "page 0s"})], "SLO availability", "waits longer than nothing"),
        ([slo(annotations={"tiers": "page 1h/5m 2.00000000001%"})], "SLO availability", "more digits than are kept"),
        ([slo(annotations={"group-by": "a, a"})], "SLO availability", "grouped by only once"),
        ([slo(objectives=[{"target": "0.9999999999999"}])], "SLO availability", "more digits than are kept"),
        ([slo(annotations={"min-bad": "few"})], "fireline.dev/min-bad", "whole number"),
        ([slo(annotations={"kind": "bool"})], "fireline.dev/kind", "thresholdMetric only"),
        ([slo(), slo()], "metadata.name", "another SLO of this name"),
        ([document("Composite", "x")], "kind", "has no kind 'Composite'"),
        ([{"apiVersion": "v1", "kind": "Pod"}], "apiVersion", "no document that Fireline knows"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(parts: list[dict[str, Any]], path: str, sentence: str) -> None:
    said = refusal(*parts)
    assert said.startswith("shop.yaml, line ")
    assert path in said
    assert sentence in said


def test_another_store_than_prometheus_is_refused() -> None:
    indicator = ratio()
    indicator["spec"]["ratioMetric"]["total"]["metricSource"]["type"] = "Datadog"
    assert "Fireline measures Prometheus" in refusal(slo(indicator=indicator))


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = [slo(name=name, objectives=[{"target": 7}]) for name in ("one", "two")]
    assert [line.split(", ")[2] for line in refusal(*wrong).splitlines()] == ["SLO one", "SLO two"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "shop.yaml, line 1: This is no YAML"),
        ("a: 1\nb: 2\na: 3", "shop.yaml, line 3: a is given twice"),
        ("just words", "Fields are expected here"),
    ],
)
def test_text_that_is_no_document_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(sentence)):
        documents.carry({"shop.yaml": text})


def test_many_aliases_do_not_grow() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    with pytest.raises(Unreadable, match="no document that Fireline knows"):
        documents.read("\n".join(lines))


def test_digits_survive_that_a_float_has_not() -> None:
    exact = text(slo()).replace("target: 0.999", "target: 0.99999999999")
    assert documents.read(exact)[0].target == Decimal("0.99999999999")


def test_merged_mappings_are_read() -> None:
    objective = "objectives:\n  - &base {target: 0.99}\n  - {<<: *base, displayName: same}\n"
    plain = text(slo())
    merged = plain.replace("objectives:\n  - target: 0.999\n", objective)
    assert merged != plain
    assert [one.target for one in documents.read(merged)] == [Decimal("0.99")] * 2


def test_a_window_of_time_slices_fits_into_the_window() -> None:
    objective = {"target": 0.9, "timeSliceTarget": 0.9, "timeSliceWindow": "60d"}
    assert "at most as long as the window" in refusal(slo(budgetingMethod="Timeslices", objectives=[objective]))
    assert timedelta(days=60) > read(slo()).window.length
