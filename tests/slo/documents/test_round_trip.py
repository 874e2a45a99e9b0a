"""What is written is read back exactly, whatever the definition."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from slo import documents
from slo.counting import Marks, Matcher, Sli
from slo.definition import BudgetAlert, Budgeting, Definition, NoDataAlert
from slo.documents import formats
from slo.periods import NOMINAL, Window
from slo.states import Policy
from slo.tiers import Tier

# YAML cannot hold surrogates; everything else has to survive.
texts = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\r\n\x85\u2028\t :#'\"{}[]|>-?&*!%@`,\\")),
    max_size=40,
)
shown = texts.map(str.strip).filter(bool)
expressions = texts.filter(lambda text: bool(text.strip()))
metrics = st.one_of(
    st.from_regex(r"[a-z_:][a-z0-9_:]{0,20}", fullmatch=True).filter(lambda name: name not in ("inf", "nan")),
    texts.filter(bool),
)
labels = st.one_of(st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True), texts.filter(bool)).filter(
    lambda label: label not in ("le", "__name__")
)
operators = st.sampled_from(["=", "!=", "=~", "!~"])
matchers = st.lists(st.builds(Matcher, labels, operators, texts), max_size=3).map(tuple)
marked = st.lists(st.builds(Matcher, labels, operators, texts), min_size=1, max_size=3).map(tuple)
sides = st.sampled_from(["bad", "good"])
limits = st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=9)
severities = st.sampled_from(["page", "ticket"])
lengths = st.integers(1, 10**6).map(lambda seconds: timedelta(seconds=seconds))
shares = st.integers(1, 10**6).map(lambda parts: Decimal(parts) / 10**6)
ratios = st.integers(1, 10**11 - 1).map(lambda parts: Decimal(parts) / 10**11)
groups = st.lists(labels, unique=True, max_size=3).map(tuple)


def elsewhere(metric: str, bad: str, total: tuple[Matcher, ...], marked: tuple[Matcher, ...], marks: Marks) -> Sli:
    """Bad or good events in a counter of their own."""
    return Sli("events", metric, total, marked, bad_metric=f"{metric}{bad}", marks=marks)


slis: st.SearchStrategy[Sli] = st.one_of(
    st.builds(Sli, st.just("events"), metrics, matchers, marked, marks=sides, group_by=groups),
    st.builds(elsewhere, metrics, st.sampled_from(["_errors", "_failed_total"]), matchers, matchers, sides),
    st.builds(Sli, st.just("latency"), metrics, matchers, threshold=limits, group_by=groups),
    st.builds(Sli, st.just("events"), bad_expression=expressions, total_expression=expressions, marks=sides),
    st.builds(
        Sli,
        st.just("gauge"),
        expression=expressions,
        comparison=st.sampled_from(["lte", "lt", "gte", "gt"]),
        threshold=limits,
        group_by=groups,
    ),
    st.builds(Sli, st.just("freshness"), expression=expressions, threshold=limits),
    st.builds(Sli, st.just("bool"), expression=expressions),
)
windows = st.one_of(
    st.builds(Window, lengths),
    st.builds(
        lambda calendar, zone: Window(NOMINAL[calendar], calendar, zone),
        st.sampled_from(["week", "month", "quarter"]),
        st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    ),
)
definitions = st.builds(
    Definition,
    name=shown,
    sli=slis,
    target=ratios,
    window=windows,
    budgeting=st.one_of(st.just(Budgeting()), st.builds(Budgeting, st.just("timeslices"), lengths, ratios)),
    tiers=st.lists(st.builds(Tier, severities, lengths, lengths, shares), max_size=4, unique=True).map(tuple),
    policy=st.builds(
        Policy, min_bad=st.integers(1, 99), confidence=st.none() | st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])
    ),
    budget_alerts=st.lists(st.builds(BudgetAlert, severities, shares), max_size=3).map(tuple),
    no_data=st.none() | st.builds(NoDataAlert, severities, lengths),
    flow=st.just("") | shown,
    description=texts,
    labels=st.dictionaries(texts.filter(bool), texts, max_size=2),
)


@given(st.lists(definitions, max_size=3))
def test_what_is_written_is_read_back_exactly(written: list[Definition]) -> None:
    read = formats.parse({"": documents.write(written)}).definitions
    assert read == written
    assert [one.labels for one in read] == [one.labels for one in written]


@given(definitions)
def test_what_is_written_loses_nothing(written: Definition) -> None:
    assert formats.parse({"": documents.write([written])}).losses == []
