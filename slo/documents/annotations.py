"""What OpenSLO has no field for, as one line of text each: annotations under `fireline.dev/`."""

import json
import re
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal, InvalidOperation

from slo.definition import BudgetAlert, NoDataAlert
from slo.documents import durations
from slo.documents.tree import Value
from slo.states import Policy
from slo.tiers import Severity, Tier

PREFIX = "fireline.dev/"
TIERS = "tiers"
BUDGET_ALERTS = "budget-alerts"
NO_DATA = "no-data"
CONFIDENCE = "confidence"
MIN_BAD = "min-bad"
GROUP_BY = "group-by"
KIND = "kind"
OF_OBJECTIVES = (TIERS, BUDGET_ALERTS, NO_DATA, CONFIDENCE, MIN_BAD, GROUP_BY, KIND)
# Of an alert's condition, or of its policy.
SHORT = "short-window"
SHARE = "budget-share"
OF_CONDITIONS = (SHORT, SHARE)
TEAM = "team"
IMPORTANCE = "importance"
RUNBOOK = "runbook"
SELECTOR = "selector"
OF_SERVICES = (TEAM, IMPORTANCE, RUNBOOK, SELECTOR)
NONE = "none"

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TIER = re.compile(r"(page|ticket)\s+(\S+?)\s*/\s*(\S+)\s+(\S+)")


def annotations(metadata: Value, known: Collection[str]) -> dict[str, Value]:
    """Those under `fireline.dev/`, without the prefix. Raises `DocumentError` for one that is not `known`.

    Others are left unread: they belong to other tools.
    """
    found = metadata["annotations"].pairs(PREFIX)
    for name, value in found.items():
        if name not in known:
            names = ", ".join(f"{PREFIX}{one}" for one in known)
            raise value.error(f"Fireline knows no such annotation here. It knows {names}.")
    return found


# -- Reading
def tiers(value: Value) -> tuple[Tier, ...]:
    """`page 1h/5m 2%, ticket 3d/6h 10%`: severity, long and short window, share of the whole budget."""
    return tuple(_read(value, _tier, part) for part in _parts(value))


def budget_alerts(value: Value) -> tuple[BudgetAlert, ...]:
    """`ticket 50%, page 100%`: tells when this share of the budget is spent."""
    return tuple(_read(value, _budget_alert, part) for part in _parts(value))


def no_data(value: Value) -> NoDataAlert | None:
    """`ticket 15m`: tells when nothing was measured for as long."""
    parts = _parts(value)
    if len(parts) > 1:
        raise value.error("One no-data alert is enough. Keep one.")
    return _read(value, _no_data, parts[0]) if parts else None


def policy(confidence: Value | None, min_bad: Value | None) -> Policy:
    usual = Policy()
    return Policy(
        min_bad=_read(min_bad, _count, min_bad.text()) if min_bad else usual.min_bad,
        confidence=_read(confidence, _confidence, confidence.text()) if confidence else usual.confidence,
    )


def group_by(value: Value) -> tuple[str, ...]:
    """`region, tenant`, or as a JSON list where a label's name has other signs than letters, digits and `_`."""
    text = value.text().strip()
    if not text.startswith("["):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        names = json.loads(text)
    except json.JSONDecodeError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise value.error('Write the labels as region, tenant or as ["region", "tenant"].')
    return tuple(names)


def share(text: str) -> Decimal:
    """`2%` or `0.02`, as a ratio. Raises `ValueError`."""
    number = text.strip()
    try:
        return Decimal(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no share. Write it in percent, such as 2%.") from None


# -- Writing
def tiers_text(found: Iterable[Tier]) -> str:
    return _joined(
        f"{one.severity} {durations.text(one.long)}/{durations.text(one.short)} {percent(one.budget_share)}"
        for one in found
    )


def budget_alerts_text(found: Iterable[BudgetAlert]) -> str:
    return _joined(f"{one.severity} {percent(one.spent)}" for one in found)


def no_data_text(found: NoDataAlert | None) -> str:
    return f"{found.severity} {durations.text(found.after)}" if found else NONE


def group_by_text(labels: tuple[str, ...]) -> str:
    plain = all(_LABEL.fullmatch(label) for label in labels)
    return ", ".join(labels) if plain else json.dumps(labels, ensure_ascii=False)


def percent(ratio: Decimal) -> str:
    return f"{(ratio * 100).normalize():f}%"


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts) or NONE


def _parts(value: Value) -> list[str]:
    text = value.text().strip()
    return [] if text == NONE else [part.strip() for part in text.split(",") if part.strip()]


def _read[T](value: Value, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise value.error(str(error)) from None


def _tier(text: str) -> Tier:
    found = _TIER.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no tier. Write severity, both windows and the share: page 1h/5m 2%.")
    return Tier(_severity(found[1]), durations.parse(found[2]), durations.parse(found[3]), share(found[4]))


def _budget_alert(text: str) -> BudgetAlert:
    severity, _, spent = text.partition(" ")
    return BudgetAlert(_severity(severity), share(spent))


def _no_data(text: str) -> NoDataAlert:
    severity, _, after = text.partition(" ")
    return NoDataAlert(_severity(severity), durations.parse(after))


def _severity(text: str) -> Severity:
    if text == "page":
        return "page"
    if text == "ticket":
        return "ticket"
    raise ValueError(f"{text!r} is no severity. Write page or ticket.")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no count. Write a whole number, such as 2.")
    return int(text)


def _confidence(text: str) -> float | None:
    if text == NONE:
        return None
    ratio = share(text)
    if not Decimal("0.5") <= ratio < 1:
        raise ValueError("A confidence lies between 0.5 and 1, such as 0.95; write none for the plain comparison.")
    return float(ratio)
