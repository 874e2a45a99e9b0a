"""What a flow's traffic looks like, asked from its objectives' own metric: requests, errors, latency. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from slo.counting import WINDOW, Matcher, Sli, boundaries, selector
from slo.instants import floor

# How far back a chart looks, and how many points it has at most.
RANGES = {
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}
POINTS = 240
# A rate over less than this sees too few scrapes at the usual intervals.
SHORTEST_RATE = timedelta(minutes=2)
STEPS = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 120, 300, 600, 900, 1800, 3600))
QUANTILES = (0.5, 0.95, 0.99)
_SUFFIXES = ("_count", "_bucket", "_sum")


@dataclass(frozen=True, slots=True)
class Line:
    """One query and how its answer is drawn."""

    label: str
    look: str
    query: str
    fill: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """When a chart begins and ends, and how far its points are apart; all on whole steps, so that polls agree."""

    start: datetime
    end: datetime
    step: timedelta
    # The newest instant, where it is later than the last whole step.
    newest: datetime | None = None

    @property
    def times(self) -> list[datetime]:
        steps = [self.start + self.step * place for place in range(round((self.end - self.start) / self.step) + 1)]
        return [*steps, self.newest] if self.newest else steps


def frame(now: datetime, span: timedelta) -> Frame:
    step = next((step for step in STEPS if span / step <= POINTS), STEPS[-1])
    end, newest = floor(now, step), floor(now, STEPS[0])
    return Frame(end - span, end, step, newest if newest > end else None)


def requests(sli: Sli, step: timedelta) -> list[Line]:
    return [Line("requests", "l-main", _total(sli, step), fill=True)]


def errors(sli: Sli, step: timedelta) -> list[Line]:
    """The share of bad events, 0…1. Nothing bad in a time with traffic is 0, not a gap."""
    marked, total = _marked(sli, step), _total(sli, step)
    bad = f"({total}) - (({marked}) or ({total}) * 0)" if sli.counts_good else marked
    label = "slower than the limit" if sli.kind == "latency" and not sli.by_expression else "failed"
    return [Line(label, "l-bad", f"(({bad}) or ({total}) * 0) / (({total}) > 0)", fill=True)]


def latency(sli: Sli, step: timedelta) -> list[Line]:
    """Percentiles of a classic histogram; empty when the SLI's metric is none."""
    stem = histogram_of(sli)
    if not stem:
        return []
    rate = f"sum by (le) (rate({selector(f'{stem}_bucket', sli.matchers)}[{_seconds(max(step, SHORTEST_RATE))}]))"
    looks = ("l-soft", "l-main", "s3")
    return [
        Line(f"p{quantile * 100:g}", look, f"histogram_quantile({quantile}, {rate})")
        for quantile, look in zip(QUANTILES, looks, strict=True)
    ]


def histogram_of(sli: Sli) -> str:
    """The name of the histogram behind an SLI without its suffix, or nothing."""
    if sli.by_expression or not sli.metric:
        return ""
    if sli.kind == "latency":
        return sli.metric
    return next((sli.metric.removesuffix(suffix) for suffix in _SUFFIXES if sli.metric.endswith(suffix)), "")


def _total(sli: Sli, step: timedelta) -> str:
    if sli.by_expression:
        return _per_second(sli.total_expression, step)
    metric = f"{sli.metric}_count" if sli.kind == "latency" else sli.metric
    return _rate(metric, sli.matchers, step)


def _marked(sli: Sli, step: timedelta) -> str:
    """The rate of what the SLI marks among its events: the bad ones, or the good ones."""
    if sli.by_expression:
        return _per_second(sli.bad_expression, step)
    if sli.kind == "latency":
        return _rate(f"{sli.metric}_bucket", (*sli.matchers, Matcher("le", "=~", _boundary(sli))), step)
    if sli.bad_metric:
        return _rate(sli.bad_metric, sli.bad_matchers, step)
    return _rate(sli.metric, (*sli.matchers, *sli.bad_matchers), step)


def _boundary(sli: Sli) -> str:
    return "|".join(re.escape(edge) for edge in boundaries(sli.threshold or Decimal(0)))


def _rate(metric: str, matchers: Iterable[Matcher], step: timedelta) -> str:
    return f"sum(rate({selector(metric, matchers)}[{_seconds(max(step, SHORTEST_RATE))}]))"


def _per_second(expression: str, step: timedelta) -> str:
    window = max(step, SHORTEST_RATE)
    return f"sum(\n{expression.replace(WINDOW, _seconds(window))}\n) / {window.total_seconds():g}"


def _seconds(length: timedelta) -> str:
    return f"{length // timedelta(seconds=1)}s"


def chart(
    shape: Frame,
    lines: Sequence[Line],
    answers: Sequence[Sequence[tuple[datetime, float]]],
    *,
    as_of: datetime,
    marks: Sequence[Mapping[str, Any]] = (),
    limit: float | None = None,
    limit_label: str = "",
) -> dict[str, Any]:
    """What `<fl-chart>` draws: one column of times, one for each line, `None` where the store said nothing."""
    seconds = [round(time.timestamp()) for time in shape.times]
    columns: list[list[Any]] = [seconds]
    for answer in answers:
        known = {round(at.timestamp()): value for at, value in answer}
        columns.append([known.get(second) for second in seconds])
    return {
        "as_of": as_of.isoformat(),
        "columns": columns,
        "series": [{"label": line.label, "class": line.look, "fill": line.fill} for line in lines],
        "marks": list(marks),
        "limit": limit,
        "limit_label": limit_label,
    }
