"""What is a plain selector, and what is an expression."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.counting import Matcher, selector
from slo.documents import selectors
from slo.documents.selectors import Selector

SHOP = Matcher("service", "=", "shop")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("up", Selector("up")),
        ("up{}", Selector("up")),
        ('up{service="shop"}', Selector("up", (SHOP,))),
        (' up\n{ service = "shop" , } # comment', Selector("up", (SHOP,))),
        ("up{service='shop'}", Selector("up", (SHOP,))),
        ("up{service=`shop`}", Selector("up", (SHOP,))),
        ("{__name__='up',service='shop'}", Selector("up", (SHOP,))),
        ('{"up", service="shop"}', Selector("up", (SHOP,))),
        ('{"my.metric", "my.label"!="a"}', Selector("my.metric", (Matcher("my.label", "!=", "a"),))),
        (r'a:b{code!~"5..",path=~"/a\\.b|\"c\"\n"}', Selector("a:b", (
            Matcher("code", "!~", "5.."), Matcher("path", "=~", '/a\\.b|"c"\n')))),
        (r'up{name="\u00e4\x41\101"}', Selector("up", (Matcher("name", "=", "äAA"),))),
    ],
)  # fmt: skip
def test_a_plain_selector_is_read(query: str, expected: Selector) -> None:
    assert selectors.parse(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "",
        "1",
        "inf",
        "sum(up)",
        "up[5m]",
        "up offset 5m",
        "up + up",
        'up{service="shop"} > 0',
        '{__name__=~"a|b"}',
        '{service="shop"}',
        'up{service="shop"',
        "up{service=shop}",
        'up{__name__="other"}',
        'up{service="shop" code="5"}',
        "up{,}{}",
        'up{"other"}',
    ],
)
def test_anything_else_is_an_expression(query: str) -> None:
    assert selectors.parse(query) is None


def test_the_sum_of_counters_counts_what_they_count() -> None:
    assert selectors.summed("sum (up)") == Selector("up")
    assert selectors.summed("up") == Selector("up")
    assert selectors.summed("sum(up) + sum(up)") is None
    assert selectors.summed("max(up)") is None


def test_a_rate_over_the_window_names_its_counters() -> None:
    window = re.compile("W")
    assert selectors.rated("(sum(rate(up[W])))", window) == Selector("up")
    assert selectors.rated("sum( increase( up{} [ W ] ) )", window) == Selector("up")
    assert selectors.rated("sum(rate(up[5m]))", window) is None
    assert selectors.rated("sum(rate(up[W])) or vector(0)", window) is None
    assert selectors.rated("(sum(rate(up[W])) + sum(rate(up[W])))", window) is None


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    texts.filter(lambda name: name and name.lower() not in ("inf", "nan")),
    st.lists(
        st.builds(
            Matcher,
            texts.filter(lambda label: label and label != "__name__"),
            st.sampled_from(["=", "!=", "=~", "!~"]),
            texts,
        ),
        max_size=3,
    ),
)
def test_what_fireline_writes_it_reads(metric: str, matchers: list[Matcher]) -> None:
    assert selectors.parse(selector(metric, matchers)) == Selector(metric, tuple(matchers))
