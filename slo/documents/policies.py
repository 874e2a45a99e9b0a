"""OpenSLO's alert policies as tiers: each burn rate condition is one, with a short window beside its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from slo.definition import USUAL_NO_DATA, NoDataAlert
from slo.documents import annotations, durations
from slo.documents.library import Library
from slo.documents.tree import Value
from slo.tiers import SHORT_PER_LONG, Severity, Tier, share_of

PAGES = ("page", "pager", "critical", "high", "urgent", "error", "sev1", "p1")
TICKETS = ("ticket", "warning", "warn", "medium", "low", "info", "sev2", "sev3", "p2", "p3")


@dataclass(slots=True)
class Alerting:
    """What the alert policies of one SLO ask for."""

    tiers: list[Tier] = field(default_factory=list)
    no_data: NoDataAlert | None = None
    losses: list[str] = field(default_factory=list)


def read(policies: list[Value], library: Library, window: timedelta) -> Alerting:
    """Policies by name or inline, for an SLO over `window`. Raises `DocumentError`."""
    alerting = Alerting()
    for policy in policies:
        _policy(_resolved(policy, "AlertPolicy", "alertPolicyRef", library), library, window, alerting)
    return alerting


def _policy(policy: Value, library: Library, window: timedelta, alerting: Alerting) -> None:
    spec = policy["spec"]
    if spec["alertWhenNoData"].flag():
        alerting.no_data = USUAL_NO_DATA
    if not spec["alertWhenResolved"].flag(default=True):
        alerting.losses.append(f"{spec['alertWhenResolved'].place}: Fireline always tells when an alert is over.")
    for target in spec["notificationTargets"].items():
        alerting.losses.append(
            f"{target.place}: where notifications go is set up in Fireline, under Settings, Notifications."
        )
        if not target.is_text and target["targetRef"] and (named := library.find(*_target(target))):
            named.document.used = True
        target.dismiss()
    if not spec["alertWhenBreaching"].flag(default=True):
        alerting.losses.append(f"{spec['alertWhenBreaching'].place}: the policy never alerts on a burn rate: left out.")
        return
    outer = annotations.annotations(policy["metadata"], annotations.OF_CONDITIONS)
    for one in spec["conditions"].items():
        condition = _resolved(one, "AlertCondition", "conditionRef", library)
        notes = outer | annotations.annotations(condition["metadata"], annotations.OF_CONDITIONS)
        alerting.tiers.append(_tier(condition["spec"], notes, window, alerting.losses))


def _target(target: Value) -> tuple[str, str]:
    return "AlertNotificationTarget", target["targetRef"].text()


def _resolved(value: Value, kind: str, reference: str, library: Library) -> Value:
    """The document that is named, `name` or `{reference: name}`, or the value itself where it is inline."""
    if value.is_text:
        return library.named(kind, value)
    if value[reference]:
        return library.named(kind, value[reference])
    for name in ("kind", "apiVersion", "metadata.name", "metadata.displayName"):
        value[name].text("")
    return value


def _tier(spec: Value, notes: dict[str, Value], window: timedelta, losses: list[str]) -> Tier:
    condition = spec["condition"]
    if condition["kind"].text("burnrate") != "burnrate":
        raise condition["kind"].error("Fireline alerts on burn rates: write burnrate.")
    if condition["op"].text("gt") not in ("gt", "gte"):
        # OpenSLO's own examples say lte, and mean the opposite.
        losses.append(f"{condition['op'].place}: a burn rate is a problem when it is high, so this was read as gt.")
    long = condition["lookbackWindow"].read(durations.parse)
    if annotations.SHORT in notes:
        short = notes[annotations.SHORT].read(durations.parse)
    else:
        short = max(timedelta(minutes=1), long / SHORT_PER_LONG)
        losses += _assumed(condition, short)
    return Tier(_severity(spec["severity"]), long, short, _share(condition, notes, long, window))


def _assumed(condition: Value, short: timedelta) -> Iterator[str]:
    yield (
        f"{condition.place}: a short window of {durations.text(short)} was added, which tells that the burn still "
        f"lasts. Choose another with the annotation {annotations.PREFIX}{annotations.SHORT}."
    )
    if condition["alertAfter"]:
        yield f"{condition['alertAfter'].place}: Fireline has no delay; its short window does what this is for."


def _share(condition: Value, notes: dict[str, Value], long: timedelta, window: timedelta) -> Decimal:
    if annotations.SHARE in notes:
        return notes[annotations.SHARE].read(annotations.share)
    return share_of(condition["threshold"].number(), long, window)


def _severity(value: Value) -> Severity:
    name = value.text().lower()
    if name in PAGES:
        return "page"
    if name in TICKETS:
        return "ticket"
    raise value.error("Fireline has two severities: write page (somebody must act now) or ticket (within days).")
