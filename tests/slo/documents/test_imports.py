"""Sloth's and Pyrra's files: what is carried over, and what is said about the rest."""

from decimal import Decimal

import pytest

from slo import documents
from slo.counting import Matcher, Sli
from slo.documents.carried import Carried
from slo.documents.tree import Unreadable
from slo.periods import Window
from slo.tiers import WORKBOOK_TIERS
from tests.make import DAY, HOUR, MINUTE

SLOTH = """
version: prometheus/v1
service: shop
labels: {owner: sales}
slos:
  - name: availability
    objective: 99.9
    description: Orders go through.
    labels: {tier: "1"}
    sli:
      events:
        error_query: sum(rate(http_requests_total{job="shop",code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="shop"}[{{.window}}]))
    alerting:
      page_alert: {labels: {severity: critical}}
      ticket_alert: {disable: true}
"""
RESOURCE = """
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {name: shop, namespace: monitoring}
spec:
  service: shop
  labels: {owner: sales}
  slos:
    - name: availability
      objective: 99.9
      description: Orders go through.
      labels: {tier: "1"}
      sli:
        events:
          errorQuery: sum(rate(http_requests_total{job="shop",code=~"5.."}[{{ .window }}]))
          totalQuery: sum(rate(http_requests_total{job="shop"}[{{ .window }}]))
      alerting:
        pageAlert: {labels: {severity: critical}}
        ticketAlert: {disable: true}
"""
EVENTS = """
      events:
        error_query: sum(rate(http_requests_total{job="shop",code=~"5.."}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="shop"}[{{.window}}]))
"""
PYRRA = """
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: orders, namespace: monitoring, labels: {team: sales}}
spec:
  target: "99.5"
  window: 4w
  description: Orders go through.
  indicator:
    ratio:
      errors: {metric: 'http_requests_total{job="shop",code=~"5.."}'}
      total: {metric: 'http_requests_total{job="shop"}'}
      grouping: [route]
"""
RATIO = PYRRA[PYRRA.index("    ratio:") :]
SHOP = Matcher("job", "=", "shop")
COUNTED = Sli("events", "http_requests_total", (SHOP,), (Matcher("code", "=~", "5.."),))


def carry(text: str) -> Carried:
    return documents.carry({"shop.yaml": text})


def said(text: str) -> str:
    return "\n".join(carry(text).losses)


def sli(queries: str) -> str:
    """Sloth's file with another SLI."""
    assert EVENTS in SLOTH
    return SLOTH.replace(EVENTS, f"\n{queries}\n")


def indicator(text: str) -> str:
    """Pyrra's file with another indicator."""
    return PYRRA.replace(RATIO, f"    {text}\n")


# -- Sloth
@pytest.mark.parametrize("text", [SLOTH, RESOURCE])
def test_sloths_objectives_are_carried_over(text: str) -> None:
    (found,) = carry(text).definitions
    assert found.sli == COUNTED
    assert (found.flow, found.name, found.target) == ("shop", "availability", Decimal("0.999"))
    assert found.window == Window(30 * DAY)
    assert found.labels == {"owner": "sales", "tier": "1"}
    assert found.tiers == WORKBOOK_TIERS[:2]
    assert (found.budget_alerts, found.no_data) == ((), None)


def test_what_sloth_has_beyond_is_listed() -> None:
    assert "page_alert.labels" in said(SLOTH)
    assert "do not say how long the window is" in said(SLOTH)
    assert "metadata.namespace" in said(RESOURCE)


def test_rates_in_an_expression_become_counts() -> None:
    errors = "sum(rate(a[{{.window}}])) - sum(rate(b[{{.window}}]))"
    text = sli(f"      events: {{error_query: '{errors}', total_query: 'sum(rate(c[{{{{.window}}}}]))'}}")
    found = carry(text).definitions[0].sli
    assert found.bad_expression == "sum(increase(a[{{window}}])) - sum(increase(b[{{window}}]))"
    assert found.total_expression == "sum(increase(c[{{window}}]))"
    assert "counted as expressions" in said(text)


def test_rates_stay_where_replacing_them_would_change_the_ratio() -> None:
    text = sli("      events: {error_query: 'sum(rate(a[{{.window}}]) > 1)', total_query: 'sum(rate(c[{{.window}}]))'}")
    assert carry(text).definitions[0].sli.bad_expression == "sum(rate(a[{{window}}]) > 1)"
    assert "events a second" in said(text)


def test_a_raw_ratio_is_carried_over_with_a_word_of_warning() -> None:
    text = sli("      raw: {error_ratio_query: 'bad_ratio[{{.window}}]'}")
    assert carry(text).definitions[0].sli.bad_expression == "bad_ratio[{{window}}]"
    assert "weighs the same" in said(text)


def test_a_plugin_is_left_out_and_that_is_said() -> None:
    text = sli("      plugin: {id: availability, options: {job: shop}}")
    assert carry(text).definitions == []
    assert "It is counted by a plugin" in said(text)


def test_alerts_that_can_never_fire_are_left_out_and_that_is_said() -> None:
    text = SLOTH.replace("99.9", "90").replace("ticket_alert: {disable: true}", "")
    assert carry(text).definitions[0].tiers == WORKBOOK_TIERS[1:]
    assert "never fire" in said(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SLOTH.replace("99.9", "100"), "slos[0].objective: An objective is a percentage"),
        (sli("      nothing: 1"), "slos[0].sli: An SLO needs events"),
        (SLOTH.replace(',code=~"5.."', ""), "every event would be marked"),
        (RESOURCE.replace("PrometheusServiceLevel", "Other"), "kind: Of sloth.slok.dev/v1"),
        (SLOTH.replace("service: shop\n", ""), "service: This is needed"),
    ],
)
def test_what_is_wrong_in_sloths_files_is_said(text: str, sentence: str) -> None:
    with pytest.raises(Unreadable) as caught:
        carry(text)
    assert sentence in str(caught.value)


# -- Pyrra
def test_pyrras_objectives_are_carried_over() -> None:
    (found,) = carry(PYRRA).definitions
    assert found.sli == Sli("events", COUNTED.metric, (SHOP,), COUNTED.bad_matchers, group_by=("route",))
    assert (found.flow, found.name, found.target) == ("orders", "orders", Decimal("0.995"))
    assert found.window == Window(28 * DAY)
    assert found.labels == {"team": "sales"}
    assert [(one.severity, one.long, one.short) for one in found.tiers] == [
        ("page", HOUR, 5 * MINUTE),
        ("page", 6 * HOUR, 30 * MINUTE),
        ("ticket", DAY, 2 * HOUR),
        ("ticket", 4 * DAY, 6 * HOUR),
    ]
    assert [round(one.factor(28 * DAY), 2) for one in found.tiers] == [14, 7, 2, 1]
    assert found.no_data is not None


def test_pyrras_alerts_scale_with_the_window() -> None:
    (found,) = carry(PYRRA.replace("4w", "2w")).definitions
    assert (found.tiers[0].long, found.tiers[0].short) == (30 * MINUTE, 3 * MINUTE)


def test_what_pyrra_has_beyond_is_listed() -> None:
    assert "metadata.namespace" in said(PYRRA)
    assert "wait some minutes" in said(PYRRA)


def test_alerts_that_are_off_stay_off() -> None:
    (found,) = carry(PYRRA + "  alerting: {disabled: true}\n").definitions
    assert (found.tiers, found.no_data) == ((), None)
    (found,) = carry(PYRRA + "  alerting: {burnrates: false, absent: true}\n").definitions
    assert found.tiers == ()
    assert found.no_data is not None


LATENCY = """latency:
      success: {metric: 'd_seconds_bucket{le="0.5"}'}
      total: {metric: 'd_seconds_count'}"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LATENCY, Sli("latency", "d_seconds", threshold=Decimal("0.5"))),
        (
            "latencyNative: {latency: 200ms, total: {metric: 'd_seconds{job=\"shop\"}'}}",
            Sli("latency", "d_seconds", (SHOP,), threshold=Decimal("0.2")),
        ),
        ("bool_gauge: {metric: up, grouping: [instance]}", Sli("bool", expression="up{}", group_by=("instance",))),
    ],
)
def test_pyrras_other_indicators(text: str, expected: Sli) -> None:
    assert carry(indicator(text)).definitions[0].sli == expected


def test_several_series_of_a_bool_gauge_count_otherwise_and_that_is_said() -> None:
    assert "the worst one counts" in said(indicator("bool_gauge: {metric: up}"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (PYRRA.replace("99.5", "0"), "spec.target: A target is a percentage"),
        (PYRRA.replace("4w", "a while"), "spec.window: 'a while' is no duration"),
        (indicator("other: 1"), "spec.indicator: An indicator is needed"),
        (indicator("bool_gauge: {metric: sum(up)}"), "plain selectors only"),
        (indicator(LATENCY.replace("d_seconds_count", "other_count")), "a histogram's bucket"),
        (PYRRA.replace("ServiceLevelObjective", "Other"), "kind: Of pyrra.dev/v1alpha1"),
    ],
)
def test_what_is_wrong_in_pyrras_files_is_said(text: str, sentence: str) -> None:
    with pytest.raises(Unreadable) as caught:
        carry(text)
    assert sentence in str(caught.value)


def test_files_of_all_tools_are_read_together() -> None:
    carried = documents.carry({"a.yaml": SLOTH, "b.yaml": PYRRA})
    assert [entry.place.split(",")[0] for entry in carried.entries] == ["a.yaml", "b.yaml"]


def test_what_was_carried_over_can_be_written_and_read_again() -> None:
    found = documents.carry({"a.yaml": SLOTH, "b.yaml": PYRRA}).definitions
    assert documents.read(documents.write(found)) == found


LATENCY_OF_SLOTH = """
      events:
        error_query: |
          (
            sum(rate(d_seconds_count{job="shop"}[{{.window}}]))
            -
            sum(rate(d_seconds_bucket{job="shop",le="0.5"}[{{.window}}]))
          )
        total_query: sum(rate(d_seconds_count{job="shop"}[{{.window}}]))
"""


@pytest.mark.parametrize("brackets", ["(", ""])
def test_all_but_a_bucket_is_a_latency_in_sloths_files_too(brackets: str) -> None:
    events = LATENCY_OF_SLOTH
    if not brackets:
        events = events.replace("          (\n", "").replace("          )\n", "")
    carried = carry(SLOTH.replace(EVENTS, events))
    assert carried.definitions[0].sli == Sli("latency", "d_seconds", (SHOP,), threshold=Decimal("0.5"))
    assert not any("expressions" in loss for loss in carried.losses)


def test_all_but_the_good_events_are_counted_exactly() -> None:
    good = EVENTS.replace(
        'error_query: sum(rate(http_requests_total{job="shop",code=~"5.."}[{{.window}}]))',
        'error_query: (sum(rate(http_requests_total{job="shop"}[{{.window}}]))) - '
        '(sum(rate(http_requests_total{job="shop",code=~"5.."}[{{.window}}])))',
    )
    (definition,) = carry(SLOTH.replace(EVENTS, good)).definitions
    assert definition.sli == Sli(
        "events", "http_requests_total", (SHOP,), (Matcher("code", "=~", "5.."),), marks="good"
    )


@pytest.mark.parametrize(("window", "hours"), [("4w", 672), ("30d", 720), ("365d", 8760)])
def test_pyrras_burn_rates_stay_as_they_are(window: str, hours: int) -> None:
    (definition,) = carry(PYRRA.replace("4w", window)).definitions
    # Windows are rounded to minutes, as Pyrra rounds them; factors are not.
    assert [tier.factor(definition.window.length) for tier in definition.tiers] == [14, 7, 2, 1]
    assert definition.window.length == hours * HOUR
