"""The forms that filter traces and log lines: everything optional, everything kept when something is wrong."""

import re
from datetime import datetime, timedelta
from typing import Any

from django import forms

from connectors.telemetry import LogQuery, TraceQuery
from dashboards.forms import Styled
from slo.models import Flow
from telemetry.store import full_trace_id

RANGES = {"15m": 15, "1h": 60, "6h": 360, "24h": 1440, "3d": 4320}
_RANGE_CHOICES = [
    ("15m", "Last 15 minutes"),
    ("1h", "Last hour"),
    ("6h", "Last 6 hours"),
    ("24h", "Last 24 hours"),
    ("3d", "Last 3 days"),
    ("", "All that is kept"),
]
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(µs|us|ms|s|min|m)?", re.IGNORECASE)
_UNITS = {"µs": 1e-6, "us": 1e-6, "ms": 1e-3, "": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0}
SEVERITIES = {"error": 17, "warn": 13, "info": 9}


def length(text: str) -> timedelta:
    """How long: `500 ms`, `1.5 s`, `2 min`; a bare number is milliseconds. Raises `ValidationError`."""
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        raise forms.ValidationError(f"“{text}” is no length of time. Write it like 500 ms, 1.5 s or 2 min.")
    return timedelta(seconds=float(found[1]) * _UNITS[(found[2] or "").lower()])


class _Ranged(Styled, forms.Form):
    """What both filters have: a service, a time, and an end that is carried along but not shown."""

    service = forms.CharField(required=False, max_length=120)
    range = forms.ChoiceField(label="Time", choices=_RANGE_CHOICES, required=False)

    @property
    def long_range(self) -> bool:
        """Whether rows may be of another day, so that a time of day does not tell when."""
        return self.cleaned_data.get("range") not in ("15m", "1h", "6h")

    def since(self, now: datetime) -> datetime | None:
        minutes = RANGES.get(self.cleaned_data["range"])
        return now - timedelta(minutes=minutes) if minutes else None


class TraceFilter(_Ranged):
    flow = forms.ChoiceField(required=False)
    status = forms.ChoiceField(
        required=False, choices=[("", "Any"), ("failed", "Failed"), ("ok", "Not failed")], label="Outcome"
    )
    longer = forms.CharField(
        required=False, label="At least", max_length=20, widget=forms.TextInput(attrs={"placeholder": "500 ms"})
    )
    sort = forms.ChoiceField(required=False, choices=[("", "Newest first"), ("slow", "Slowest first")], label="Order")

    field_order = ("flow", "service", "status", "longer", "range", "sort")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        flows = Flow.objects.active().values_list("selector", "name").order_by("name")
        choices = [("", "Any"), *flows]
        asked = str(self.data.get("flow", ""))
        # A flow that nobody defined may still be in the spans.
        if asked and asked not in dict(choices):
            choices.append((asked, asked))
        self.fields["flow"].choices = choices  # type: ignore[attr-defined]

    def clean_longer(self) -> timedelta | None:
        text = str(self.cleaned_data["longer"])
        return length(text) if text else None

    def query(self, now: datetime, until: datetime | None, limit: int) -> TraceQuery:
        said = self.cleaned_data
        return TraceQuery(
            flow=said["flow"],
            service=said["service"],
            since=self.since(now),
            until=until,
            error={"failed": True, "ok": False}.get(said["status"]),
            min_duration=said["longer"],
            slowest_first=said["sort"] == "slow",
            limit=limit,
        )


class LogFilter(_Ranged):
    text = forms.CharField(required=False, max_length=200, label="Contains", strip=False)
    severity = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), ("error", "Error"), ("warn", "Warning or worse"), ("info", "Info or worse")],
    )
    trace = forms.CharField(
        required=False,
        max_length=64,
        label="Trace",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )

    field_order = ("text", "severity", "service", "trace", "range")

    def clean_trace(self) -> str:
        text = str(self.cleaned_data["trace"])
        if text and not full_trace_id(text):
            raise forms.ValidationError(
                "A trace ID has up to 32 digits 0–9 and a–f. Copy it from a trace or a log line."
            )
        return text

    def query(self, now: datetime, until: datetime | None, limit: int) -> LogQuery:
        said = self.cleaned_data
        return LogQuery(
            trace_id=said["trace"],
            service=said["service"],
            since=self.since(now),
            until=until,
            min_severity=SEVERITIES.get(said["severity"]),
            text=said["text"],
            limit=limit,
        )
