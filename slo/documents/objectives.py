"""What an OpenSLO objective promises: its target, its name, and how its budget is spent."""

from decimal import Decimal

from slo.definition import Budgeting
from slo.documents import durations
from slo.documents.annotations import percent
from slo.documents.tree import Value

COMPOSITE = (
    "This objective has an indicator of its own, which makes the SLO a composite one. Fireline has no composites: "
    "write an SLO for each part."
)
AVERAGED = (
    "RatioTimeslices averages ratios, so that a quiet bad hour weighs like a busy good one. "
    "Fireline counts the events instead, as with Occurrences."
)
JOINED = "A label has one value in Fireline, so the list was joined to {!r}, and is exported as that."
_OF_PARTS = ("indicator", "indicatorRef", "compositeWeight")


def listed(spec: Value) -> list[Value]:
    """The objectives of an SLO. Raises `DocumentError` for none, and for composites."""
    found = spec["objectives"].items()
    if not found:
        raise spec["objectives"].error("An SLO needs an objective with a target.")
    for one in found:
        for part in _OF_PARTS:
            if one[part]:
                raise one[part].error(COMPOSITE)
    return found


def target(objective: Value) -> Decimal:
    """A ratio above 0 and below 1."""
    stated = objective["target"] or objective["targetPercent"]
    ratio = stated.number()
    if not objective["target"]:
        ratio /= 100
    elif objective["targetPercent"] and objective["targetPercent"].number() != ratio * 100:
        raise objective["targetPercent"].error("This contradicts the target. Keep one of them.")
    if not 0 < ratio < 1:
        raise stated.error("A target lies between 0 and 1, such as 0.999; in targetPercent between 0 and 100.")
    return ratio


def name(slo: Value, objective: Value, ratio: Decimal, several: bool) -> str:
    """The SLO's name; with several objectives, each has its own after it."""
    base = slo["metadata.displayName"].text("") or slo["metadata.name"].text()
    own = objective["displayName"].text("")
    return f"{base}: {own or percent(ratio)}" if several else base


def budgeting(method: Value, objective: Value, losses: list[str]) -> Budgeting:
    match method.text("Occurrences"):
        case "Occurrences":
            return Budgeting()
        case "Timeslices":
            return _time_slices(objective)
        case "RatioTimeslices":
            objective["timeSliceWindow"].text("")
            losses.append(f"{method.place}: {AVERAGED}")
            return Budgeting()
    raise method.error("Write Occurrences or Timeslices.")


def labels(value: Value, losses: list[str]) -> dict[str, str]:
    """Each label's value; OpenSLO also allows lists, whose values are joined, which is pointed out."""
    found = dict[str, str]()
    for name, label in value.pairs().items():
        if label.is_text or not label:
            found[name] = label.text("")
        else:
            found[name] = ", ".join(one.text() for one in label.items())
            losses.append(f"{label.place}: {JOINED.format(found[name])}")
    return found


def _time_slices(objective: Value) -> Budgeting:
    goal, length = objective["timeSliceTarget"], objective["timeSliceWindow"]
    ratio = goal.number()
    if not 0 < ratio <= 1:
        raise goal.error("A time slice is good from a ratio between 0 and 1 of good events, such as 0.95.")
    return Budgeting("timeslices", length.read(durations.parse), ratio)
