"""The objective's form as a browser sends it."""

from html.parser import HTMLParser
from typing import Any

from django.http import HttpResponseBase

from slo.models import Objective
from telemetry.models import Source

TIERS = {
    "tier_severity": ["page", "ticket"],
    "tier_long": ["3600", "86400"],
    "tier_short": ["300", "7200"],
    "tier_share": ["2", "10"],
}


def filled(source: Source, **changed: Any) -> dict[str, Any]:
    """A complete form: failed requests of the checkout, 99.9 % over 7 days."""
    return {
        "name": "Availability",
        "source": source.pk,
        "counting": "events",
        "metric": "requests_total",
        "match_label": ["service"],
        "match_op": ["="],
        "match_value": ["checkout"],
        "bad_label": ["code"],
        "bad_op": ["=~"],
        "bad_value": ["5.."],
        "marks": "bad",
        "bad_metric": "",
        "threshold": "",
        "total_expression": "",
        "bad_expression": "",
        "expression": "",
        "comparison": "lte",
        "level": "",
        "age": "",
        "grouping": "",
        "target": "99.9",
        "calendar": "",
        "window": "7 d",
        "time_zone": "UTC",
        "method": "occurrences",
        "time_slice": "5 min",
        "time_slice_target": "95",
        "certainty": "sure",
        "confidence": "95",
        "min_bad": "2",
        "budget_severity": ["ticket", "page"],
        "budget_spent": ["50", "100"],
        "no_data": "ticket",
        "no_data_after": "15 min",
        "description": "",
        **TIERS,
        **changed,
    }


def only() -> Objective:
    return Objective.objects.get()


class Shown(HTMLParser):
    """The form of a page. `fields` are what a browser would send of it if nobody touched it."""

    def __init__(self, response: HttpResponseBase) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._inside = False
        # The select that is open and how often it was given a value, and the text area that is.
        self._select, self._options, self._area = "", 0, ""
        self.feed(response.content.decode())  # type: ignore[attr-defined]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = own.get("id") == "objective-form"
        if not self._inside:
            return
        if tag == "input" and "name" in own and (own.get("type") != "radio" or "checked" in own):
            self._values(own["name"]).append(own.get("value", ""))
        elif tag == "textarea":
            self._area = own["name"]
            self._values(self._area).append("")
        elif tag == "select":
            self._select, self._options = own["name"], 0
            self._values(self._select).append("")
        elif tag == "option" and self._select:
            # Without a chosen one, a browser sends the first.
            if "selected" in own or not self._options:
                self._values(self._select)[-1] = own["value"]
            self._options += 1

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            # A text area begins with a line break that is not part of it.
            self._values(self._area)[-1] = data.removeprefix("\n")

    def _values(self, name: str) -> list[str]:
        return self.fields.setdefault(name, [])
