"""The form that declares maintenance: when, how long, how often, and of what."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.core.exceptions import ValidationError

from dashboards import moments
from dashboards.forms import Styled
from slo import maintenance
from slo.models import Flow, Maintenance, Objective

REPEATS = (
    ("", "Only once"),
    ("daily", "Every day"),
    ("weekdays", "Every weekday, Monday to Friday"),
    ("weekly", "Every week, on this weekday"),
    ("monthly", "Every month, on this day of the month"),
    ("nth", "Every month, on this weekday, such as its first Sunday"),
    ("custom", "By a rule of its own"),
)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_UNITS = {"m": 60, "min": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|m|h|d)[a-z]*\s*")


def length_of(text: str) -> timedelta:
    """`90 min`, `2 h`, `1 h 30 min`, `1 d`. Raises `ValueError` with a sentence for whoever typed it."""
    rest, seconds = text.strip().lower().replace("\N{NO-BREAK SPACE}", " "), 0.0
    while rest and (part := _PART.match(rest)):
        seconds += float(part[1]) * _UNITS[part[2]]
        rest = rest[part.end() :]
    if rest or not 0 < seconds < 1e9:
        raise ValueError("Write how long it takes with a unit: 90 min, 2 h or 1 h 30 min.")
    return timedelta(seconds=round(seconds))


def rule_for(repeats: str, first: datetime, until: datetime | None = None) -> str:
    """The RFC 5545 rule of a choice in `REPEATS`; `first` is the first time, in the zone that it repeats in."""
    day = _WEEKDAYS[first.weekday()]
    rule = {
        "daily": "FREQ=DAILY",
        "weekdays": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        "weekly": f"FREQ=WEEKLY;BYDAY={day}",
        "monthly": f"FREQ=MONTHLY;BYMONTHDAY={first.day}",
        # The fifth of a month is also its last, and most months have no fifth.
        "nth": f"FREQ=MONTHLY;BYDAY={'-1' if first.day > 28 else (first.day - 1) // 7 + 1}{day}",
    }.get(repeats, "")
    return f"{rule};UNTIL={until.astimezone(UTC):%Y%m%dT%H%M%SZ}" if rule and until else rule


class MaintenanceForm(Styled, forms.Form):
    """Its `draft()` is checked by the engine too, whose sentences stand at the form's fields."""

    scope = forms.ChoiceField(label="What it concerns", required=False)
    reason = forms.CharField(
        max_length=200,
        help_text="Shown wherever this time is missing: “Database upgrade”.",
        error_messages={"required": "Say what is being done, so that others know why this time does not count."},
    )
    start = forms.CharField(
        label="Begins",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "data-utc": True}),
        error_messages={"required": "Say when it begins. It may lie in the past."},
    )
    lasts = forms.CharField(
        label="Lasts",
        initial="1 h",
        max_length=40,
        help_text="90 min, 2 h or 1 h 30 min; time that passes, on every day the same.",
        error_messages={"required": "Say how long it takes: 90 min, 2 h or 1 h 30 min."},
    )
    time_zone = forms.CharField(
        label="Time zone",
        max_length=60,
        widget=forms.TextInput(
            attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false", "data-zone": True}
        ),
        help_text="What repeats does so at this zone’s time of day, in summer and in winter.",
        error_messages={"required": "Write a time zone like Europe/Berlin, or UTC."},
    )
    repeats = forms.ChoiceField(choices=REPEATS, required=False, label="Repeats")
    rule = forms.CharField(
        required=False,
        max_length=200,
        label="Rule",
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"}),
        help_text="A recurrence rule (RFC 5545), as calendars use it.",
    )
    until = forms.CharField(
        required=False,
        label="Repeats until",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="The last time it may begin. Empty: until somebody ends it.",
    )

    def __init__(self, data: Mapping[str, Any] | None = None, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        field = self.fields["scope"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 (for the type checker)
        field.choices = _scopes()

    def clean_start(self) -> str:
        return str(self.cleaned_data["start"]).strip()

    def clean_lasts(self) -> timedelta:
        try:
            return length_of(self.cleaned_data["lasts"])
        except ValueError as problem:
            raise ValidationError(str(problem)) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        zone = cleaned.get("time_zone")
        if zone is not None:
            self._zone(str(zone).strip())
        if not self.errors:
            self._read_moments(cleaned)
        if not self.errors:
            try:
                self._draft = self._drafted(cleaned)
            except ValueError as problem:
                self.add_error("rule" if cleaned.get("repeats") == "custom" else None, str(problem))
        return cleaned

    def draft(self) -> Maintenance:
        """What the form says, checked and not stored; of a valid form."""
        return self._draft

    def _zone(self, name: str) -> None:
        try:
            moments.zone_of(name)
        except ValueError as problem:
            self.add_error("time_zone", str(problem))

    def _read_moments(self, cleaned: dict[str, Any]) -> None:
        for name in ("start", "until"):
            if not cleaned.get(name):
                continue
            try:
                cleaned[name] = moments.read(str(cleaned[name]), str(cleaned["time_zone"]).strip())
            except ValueError as problem:
                self.add_error(name, str(problem))

    def _drafted(self, cleaned: Mapping[str, Any]) -> Maintenance:
        zone = str(cleaned["time_zone"]).strip()
        repeats, until = str(cleaned.get("repeats") or ""), cleaned.get("until") or None
        if repeats == "custom" and not str(cleaned["rule"]).strip():
            raise ValueError("Write the rule, or choose one of the others.")
        own = str(cleaned["rule"]) if repeats == "custom" else ""
        first = cleaned["start"].astimezone(moments.zone_of(zone))
        kind, _, key = str(cleaned["scope"]).partition(":")
        return maintenance.drafted(
            cleaned["reason"],
            cleaned["start"],
            cleaned["lasts"],
            flow=Flow.objects.get(pk=int(key)) if kind == "flow" else None,
            objective=Objective.objects.select_related("flow").get(pk=int(key)) if kind == "objective" else None,
            rule=own or rule_for(repeats, first, until),
            time_zone=zone,
        )

    @property
    def zones(self) -> list[str]:
        return sorted(available_timezones())


def _scopes() -> list[tuple[str, Any]]:
    flows = list(Flow.objects.active())
    objectives = Objective.objects.active().select_related("flow")
    return [
        ("", "Everything"),
        ("Flows", [(f"flow:{one.pk}", f"All of {one.name}") for one in flows]),
        ("Objectives", [(f"objective:{one.pk}", f"{one.name} of {one.flow.name}") for one in objectives]),
    ]
