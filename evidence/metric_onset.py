"""Since when, read from the flow's own metrics where no counts were kept."""

from collections.abc import Sequence

import numpy as np

from connectors.telemetry import from_ns, to_ns
from evidence import quantities
from evidence.case import Inquiry, Times
from evidence.findings import Finding, NotInvestigated, Reference, Report, Subject
from evidence.onset import Step, step
from evidence.series import SeriesTable, Values
from evidence.signals import Role, Signal, signals

# A fault may end before the incident does, so the metric is also looked at up to earlier instants, this many of them.
_ENDS = 8
# e to the power of this is how much more likely a step has to be for its onset to be nearly certain.
_SURE_GAIN = 20.0


def investigate(inquiry: Inquiry, table: SeriesTable) -> Report:
    """One finding that says when the flow's latency or errors stepped up; none when they did not.

    Raises `NotInvestigated` when no metric tells how the flow's requests fared.
    """
    own = [one for one in signals(table) if one.service == inquiry.service and one.role != "requests"]
    if not own:
        raise NotInvestigated("No metric tells how long the flow's requests took or how many failed.")
    wanted: Sequence[Role] = ("errors", "latency")
    if inquiry.bad.known:
        wanted = ("errors",) if inquiry.bad.error else ("latency",)
    found = stepped(inquiry, [one for one in own if one.role in wanted])
    return Report() if found is None else Report((_finding(inquiry, *found),))


def stepped(inquiry: Inquiry, found: Sequence[Signal]) -> tuple[Signal, Step] | None:
    """Which of these signals stepped up most clearly, and when: not earlier than twice the incident's length before it.

    Steps of latencies are those of their logarithm.
    """
    since, until = to_ns(inquiry.incident.start - 2 * inquiry.incident.length), to_ns(inquiry.incident.end)
    steps = []
    for signal in found:
        near = (signal.times >= since) & (signal.times < until)
        if (told := _clearest(signal.times[near], _even(signal, signal.values[near]), inquiry)) is not None:
            steps.append((signal, told))
    return max(steps, key=lambda pair: pair[1].gain, default=None)


def _even(signal: Signal, values: Values) -> Values:
    """Values that vary alike on both sides of a step: shares as they are, latencies by factors."""
    even: Values = values if signal.role == "errors" else np.log(np.maximum(values, 1e-6))
    return even


def _clearest(times: Times, values: Values, inquiry: Inquiry) -> Step | None:
    """The clearest step up to any of a few ends within the incident."""
    first = int(np.searchsorted(times, to_ns(inquiry.incident.start)))
    ends = np.unique(np.linspace(first + 1, len(times), _ENDS, dtype=np.int64))
    found = [told for end in ends if (told := step(times[:end], values[:end])) is not None]
    return max(found, key=lambda told: told.gain, default=None)


def _finding(inquiry: Inquiry, signal: Signal, told: Step) -> Finding:
    before, after = (told.before, told.after) if signal.role == "errors" else np.exp([told.before, told.after]).tolist()
    shown = quantities.percent if signal.role == "errors" else quantities.seconds
    what = "share of failed requests" if signal.role == "errors" else f"latency ({signal.stat})"
    at = from_ns(told.at_ns)
    return Finding(
        question="onset",
        statement=f"The {what} of {inquiry.service} rose from {shown(before)} to {shown(after)} at {at:%H:%M:%S} UTC.",
        score=1.0,
        confidence=min(told.gain / _SURE_GAIN, 0.95),
        subject=Subject(service=inquiry.service),
        numbers={"at": at.isoformat(), "before": before, "after": after, "gain": told.gain},
        references=(Reference("metric", signal.selector),),
    )
