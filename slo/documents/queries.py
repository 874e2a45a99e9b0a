"""OpenSLO's indicators as SLIs: which metric sources they hold, and what their queries count."""

from slo.counting import Comparison, Marks, Sli
from slo.documents import annotations, indicators, selectors
from slo.documents.library import Library
from slo.documents.tree import Value

PROMETHEUS = "prometheus"
OPERATORS: dict[str, Comparison] = {"lte": "lte", "lt": "lt", "gte": "gte", "gt": "gt"}
# How a freshness SLI is written for tools that know thresholds only: seconds since a Unix time.
AGE = ("time() - (", ")")


def indicator(spec: Value, library: Library) -> Value:
    """What counts: the SLI that an SLO names or holds."""
    if reference := spec["indicatorRef"]:
        return library.named("SLI", reference)["spec"]
    inline = spec["indicator"]
    if not inline:
        raise inline.error("An SLO needs an indicator, or an indicatorRef that names an SLI.")
    for name in ("apiVersion", "kind", "metadata.name", "metadata.displayName"):
        inline[name].text("")
    return inline["spec"] if inline["spec"] else inline


def sli(indicator: Value, objective: Value, notes: dict[str, Value], losses: list[str]) -> Sli:
    """How an objective with this indicator counts. Raises `DocumentError`."""
    if indicator["thresholdMetric"]:
        return _threshold(indicator["thresholdMetric"], objective, notes)
    if kind := notes.get(annotations.KIND):
        raise kind.error("This annotation goes with a thresholdMetric only.")
    if not indicator["ratioMetric"]:
        raise indicator.error("A ratioMetric or a thresholdMetric is needed.")
    if indicator["ratioMetric.raw"]:
        return _raw(indicator["ratioMetric"], losses)
    return _ratio(indicator["ratioMetric"], losses)


def source(indicator: Value, library: Library) -> tuple[str, str]:
    """Name and address of the store that the queries are for, as far as the documents say. Raises `DocumentError`."""
    names = dict[str, Value]()
    for metric in _metrics(indicator):
        if reference := metric["metricSource.metricSourceRef"]:
            names[reference.text()] = reference
    if len(names) > 1:
        raise list(names.values())[-1].error("All queries of an objective go to one store. Name the same one.")
    for name in names:
        return name, _address(name, library)
    return "", ""


def _address(name: str, library: Library) -> str:
    found = library.find("DataSource", name)
    if found is None:
        return ""
    found.document.used = True
    _check_type(found["spec.type"])
    return found["spec.connectionDetails.url"].text("")


def _metrics(indicator: Value) -> list[Value]:
    ratio = indicator["ratioMetric"]
    named = [ratio[name] for name in ("good", "bad", "total", "raw")]
    return [metric for metric in (indicator["thresholdMetric"], *named) if metric]


def _query(metric: Value) -> str:
    """The PromQL of a metric source."""
    _check_type(metric["metricSource.type"])
    language = metric["metricSource.spec.queryType"]
    if language.text("promql") != "promql":
        raise language.error("Fireline asks Prometheus only: write promql.")
    query = metric["metricSource.spec.query"]
    text = query.text()
    if not text.strip():
        raise query.error("The query is empty.")
    return text


def _check_type(kind: Value) -> None:
    if kind.text(PROMETHEUS).lower() != PROMETHEUS:
        raise kind.error("Fireline measures Prometheus, and what answers its API: write Prometheus.")


def _ratio(ratio: Value, losses: list[str]) -> Sli:
    marks: Marks = "bad" if ratio["bad"] else "good"
    marked, total = _query(ratio[marks]), _query(ratio["total"])
    if not ratio["counter"].flag():
        if indicators.perhaps_counters(marked, total):
            losses.append(f"{ratio.place}: {indicators.PERHAPS_COUNTERS}")
        return indicators.by_expression(marked, total, marks)
    chosen, all_events = selectors.summed(marked), selectors.summed(total)
    if chosen is None or all_events is None:
        losses.append(f"{ratio.place}: {indicators.NOT_SELECTORS}")
        return indicators.by_expression(indicators.growth(marked), indicators.growth(total), marks)
    try:
        return indicators.exact(chosen, all_events, marks)
    except ValueError as error:
        raise ratio.error(str(error)) from None


def _raw(ratio: Value, losses: list[str]) -> Sli:
    kind = ratio["rawType"]
    if kind.text() not in ("success", "failure"):
        raise kind.error("Write success if the query answers the good share, failure if it answers the bad one.")
    ratio["counter"].flag()
    losses.append(f"{ratio['raw'].place}: {indicators.RATIO}")
    return indicators.of_ratio(_query(ratio["raw"]), answers_good=kind.text() == "success")


def _threshold(metric: Value, objective: Value, notes: dict[str, Value]) -> Sli:
    query, kind = _query(metric), notes.get(annotations.KIND)
    operator = objective["op"]
    comparison = OPERATORS.get(operator.text())
    if comparison is None:
        raise operator.error(f"Fireline compares by {', '.join(OPERATORS)}.")
    limit = objective["value"].number()
    match kind.text() if kind else "gauge":
        case "gauge":
            return indicators.gauge(query, comparison, limit)
        case "freshness":
            _need(operator, comparison == "lte", "Data is fresh as long as its age is at most the value: write lte.")
            return Sli("freshness", expression=_time_of(query), threshold=limit)
        case "bool":
            _need(operator, comparison == "gte" and limit == 1, "What is up answers 1: write op: gte and value: 1.")
            return Sli("bool", expression=query)
    raise (kind or metric).error("Write gauge, freshness or bool.")


def _need(value: Value, met: bool, sentence: str) -> None:
    if not met:
        raise value.error(sentence)


def _time_of(query: str) -> str:
    """The Unix time within `time() - (…)`, or the query itself, which is then that time."""
    before, after = AGE
    return query.removeprefix(before).removesuffix(after) if query.startswith(before) else query
