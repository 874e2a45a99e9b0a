"""Selectors of many objectives as few questions."""

import re
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from slo.counting import Choice, Matcher, Operator
from slo.merging import MOST_COMBINATIONS, MOST_VALUES, Merged, merged


def choice(metric: str = "requests_total", **labels: str) -> Choice:
    return Choice(metric, tuple(Matcher(label, "=", value) for label, value in labels.items()))


def selectors(choices: Iterable[Choice]) -> list[str]:
    return [one.selector for one in merged(choices)]


def test_services_of_one_metric_are_one_selector() -> None:
    found = selectors([choice(service="a"), choice(service="b"), choice(service="a")])
    assert found == ['requests_total{service=~"a|b"}']


def test_one_choice_stays_as_it_is() -> None:
    assert selectors([choice(service="a"), choice(service="a")]) == ['requests_total{service="a"}']


def test_metrics_with_the_same_labels_are_one_selector() -> None:
    found = selectors([choice("a_total", job="x"), choice("b_total", job="x")])
    assert found == ['{__name__=~"a_total|b_total",job="x"}']


def test_metrics_of_one_job_each_are_one_selector() -> None:
    assert len(selectors(choice(f"a{n}_total", job=f"x{n}") for n in range(100))) == 1


def test_selectors_with_other_labels_stay_apart() -> None:
    assert len(selectors([choice(service="a"), choice(service="a", route="/"), choice(job="a")])) == 3


def test_patterns_and_what_may_not_be_must_be_the_same() -> None:
    def with_code(service: str, op: Operator, value: str) -> Choice:
        return Choice("a_total", (Matcher("service", "=", service), Matcher("code", op, value)))

    found = selectors([with_code("a", "!=", "404"), with_code("b", "!=", "404"), with_code("c", "=~", "4..")])
    assert found == ['a_total{service=~"a|b",code!="404"}', 'a_total{service="c",code=~"4.."}']


def test_only_what_a_pattern_would_misread_is_escaped() -> None:
    assert selectors([choice(host="a-1.b"), choice(host="c|d")]) == ['requests_total{host=~"a-1\\\\.b|c\\\\|d"}']


def test_a_label_that_is_matched_twice_is_left_as_it_is() -> None:
    twice = Choice("a_total", (Matcher("code", "=", "500"), Matcher("code", "!=", "404")))
    assert selectors([twice, choice("a_total", code="500")]) == [
        'a_total{code="500",code!="404"}',
        'a_total{code="500"}',
    ]


def test_a_grid_of_services_and_routes_is_one_selector() -> None:
    grid = [choice(service=str(service), route=str(route)) for service in range(12) for route in range(12)]
    assert len(selectors(grid)) == 1


def test_pairs_that_are_no_grid_do_not_ask_for_one() -> None:
    for one in merged(choice(tenant=str(n), route=str(n)) for n in range(40)):
        assert len(one.parts) ** 2 <= MOST_COMBINATIONS * len(one.parts)


def test_a_selector_has_no_more_values_than_are_looked_up() -> None:
    assert len(selectors(choice(service=str(n)) for n in range(2 * MOST_VALUES + 1))) == 3


MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
words = st.sampled_from(["a", "b", "c", "a.b", "a|b", ""])
choices = st.builds(
    lambda metric, labels: choice(metric, **labels),
    st.sampled_from(["x_total", "y_total"]),
    st.dictionaries(st.sampled_from(["job", "tenant"]), words),
)


@given(st.lists(choices, max_size=30))
def test_every_choice_is_a_part_of_one_selector_that_answers_its_series(choices: list[Choice]) -> None:
    found = merged(choices)
    assert sorted(map(repr, (part for one in found for part in one.parts))) == sorted(map(repr, set(choices)))
    for one in found:
        for part in one.parts:
            assert answers(one, part)


def answers(merged: Merged, part: Choice) -> bool:
    """Whether a series with just the labels of the part is one of the merged selector's."""
    series = {"__name__": part.metric} | {one.label: one.value for one in part.matchers}
    metric, _, rest = merged.selector.partition("{")
    asked = [("__name__", "=", metric)] if metric else []
    asked += [(label, op, text.replace("\\\\", "\\")) for label, op, text in MATCHER.findall(rest)]
    return all(
        series.get(label, "") == value if op == "=" else re.fullmatch(value, series.get(label, ""))
        for label, op, value in asked
    )
