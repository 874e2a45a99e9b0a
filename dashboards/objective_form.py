"""The objective's form: what was typed, what it means, and a sentence for everything that does not."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict

from dashboards import objective_draft, typed
from dashboards.forms import Styled
from dashboards.objective_draft import BY_TIME, USUAL_TARGET, USUAL_WINDOW, Draft
from dashboards.objective_rows import PRESETS, MatcherRow, Rows
from dashboards.typed import Unreadable, in_seconds, plain, written
from slo.counting import WINDOW
from slo.models import Flow, Objective
from slo.periods import NOMINAL, Window
from slo.tiers import Preset
from telemetry.models import Source

COUNTINGS = (
    ("events", "Events", "good or bad of total"),
    ("latency", "Latency", "faster than a limit"),
    ("expression", "PromQL", "two queries of your own"),
    ("gauge", "Gauge", "a value within a limit"),
    ("freshness", "Freshness", "minutes up to date"),
    ("bool", "Up or down", "a probe that answers 1"),
)
WINDOWS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 3 * 24, 7 * 24, 14 * 24, 28 * 24, 30 * 24, 90 * 24))
SHORTEST_WINDOW, HOUR = timedelta(hours=1), timedelta(hours=1)
LONGEST_QUERY = 4000
MOST_BAD = 1000
NO_DATA = (("", "Nobody"), ("ticket", "A ticket"), ("page", "A page"))
_HISTOGRAM_PARTS = ("_bucket", "_count", "_sum")
_MONO = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


def _query(label: str) -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=LONGEST_QUERY,
        label=label,
        widget=forms.Textarea(attrs=_MONO | {"rows": 3, "class": "mono"}),
    )


def _text(longest: int, label: str = "", **options: Any) -> forms.CharField:
    return forms.CharField(required=False, max_length=longest, label=label, **options)


def _choice(choices: Any, label: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(required=False, choices=choices, label=label)


class ObjectiveForm(Styled, forms.Form):
    """A field that the chosen kind, window or method does not use keeps its text, and is not read."""

    name = forms.CharField(max_length=80, error_messages={"required": "Give the objective a name."})
    description = forms.CharField(
        required=False, max_length=2000, label="Description", widget=forms.Textarea(attrs={"rows": 2})
    )
    source = forms.ModelChoiceField(
        Source.objects.none(),
        label="Prometheus",
        empty_label=None,
        error_messages={"required": "Choose the Prometheus that is asked.", "invalid_choice": "Choose one of these."},
    )
    counting = forms.ChoiceField(choices=[(key, word) for key, word, _ in COUNTINGS], widget=forms.RadioSelect)
    metric = _text(200)
    marks = _choice(Objective.Marks.choices)
    bad_metric = _text(200)
    threshold = _text(24)
    total_expression = _query("All events")
    bad_expression = _query("The marked events")
    expression = _query("Expression")
    comparison = _choice(Objective.Comparison.choices)
    level = _text(24)
    age = _text(40)
    grouping = _text(400)
    target = forms.CharField(max_length=40, error_messages={"required": "Enter the target, such as 99.9."})
    calendar = _choice(Objective.Calendar.choices)
    window = _text(40)
    time_zone = _text(60)
    method = _choice(Objective.Method.choices)
    time_slice = _text(40)
    time_slice_target = _text(40)
    certainty = _choice((("sure", "With confidence"), ("plain", "Textbook")))
    confidence = _text(12)
    min_bad = _text(9)
    no_data = _choice(NO_DATA[1:])
    no_data_after = _text(40)

    def __init__(self, flow: Flow, objective: Objective | None, data: QueryDict | None = None) -> None:
        self.flow, self.objective = flow, objective
        initial = objective_draft.stored(objective) if objective else objective_draft.proposed()
        super().__init__(data, initial=initial)
        self.rows = Rows.posted(data) if data is not None else objective_draft.rows_of(objective)
        sources: Any = self.fields["source"]
        sources.queryset = Source.objects.filter(kind=Source.Kind.PROMETHEUS)
        # What it begins with, until something readable is typed.
        self._window = objective.window if objective else USUAL_WINDOW
        self._target: Decimal | None = objective.target if objective else USUAL_TARGET
        if data is None:
            self.rows.check_rules(self._window, self._target)

    def _chose(self, field: str) -> str:
        return str(self.data.get(field, ""))

    # -- One field at a time
    def clean_name(self) -> str:
        return str(self.cleaned_data["name"]).strip()

    def clean_metric(self) -> str:
        metric: str = self.cleaned_data["metric"].strip()
        if self._chose("counting") == "latency":
            # People paste the name of a series; a histogram is named without its parts.
            part = next((part for part in _HISTOGRAM_PARTS if metric.endswith(part)), "")
            return metric.removesuffix(part)
        return metric

    def clean_marks(self) -> str:
        return self.cleaned_data["marks"] or "bad"

    def clean_bad_metric(self) -> str:
        return str(self.cleaned_data["bad_metric"]).strip() if self._chose("counting") == "events" else ""

    def clean_threshold(self) -> Decimal | None:
        return self._read("threshold", typed.limit) if self._chose("counting") == "latency" else None

    def clean_comparison(self) -> str:
        return self.cleaned_data["comparison"] or "lte"

    def clean_level(self) -> Decimal | None:
        return self._read("level", typed.level) if self._chose("counting") == "gauge" else None

    def clean_age(self) -> timedelta | None:
        return self._read("age", typed.length) if self._chose("counting") == "freshness" else None

    def clean_grouping(self) -> tuple[str, ...]:
        return self._read("grouping", typed.labels)

    def clean_target(self) -> Decimal:
        return self._read("target", typed.target)

    def clean_time_zone(self) -> str:
        return self._read("time_zone", typed.zone) if self._chose("calendar") else "UTC"

    def clean_window(self) -> timedelta:
        """Of a calendar window its nominal length."""
        if nominal := NOMINAL.get(self._chose("calendar")):
            return nominal
        window = self._read("window", typed.length)
        if not SHORTEST_WINDOW <= window <= typed.LONGEST_WINDOW or window % timedelta(minutes=1):
            raise ValidationError("A rolling window has whole minutes, from an hour up to 366 days.")
        return window

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or "occurrences"

    def clean_time_slice(self) -> timedelta | None:
        if not self._judges_slices:
            return None
        length = self._read("time_slice", typed.length)
        if length < settings.SLICE or length % settings.SLICE or HOUR % length:
            least = written(settings.SLICE)
            raise ValidationError(
                f"Time slices fill an hour without a rest and are multiples of {least}, such as 5 min."
            )
        return length

    def clean_time_slice_target(self) -> Decimal | None:
        if not self._judges_slices:
            return None
        return self._read("time_slice_target", lambda text: typed.target(text, "least share of good events"))

    def clean_certainty(self) -> str:
        return self.cleaned_data["certainty"] or "sure"

    def clean_confidence(self) -> Decimal:
        text = self.cleaned_data["confidence"] if self._chose("certainty") != "plain" else ""
        return self._read("confidence", typed.confidence) if text else Decimal("0.95")

    def clean_min_bad(self) -> int:
        expected = f"Alerts need a whole number of bad events, from 1 to {MOST_BAD}."
        return self._read("min_bad", lambda text: typed.whole(text or "2", MOST_BAD, expected))

    def clean_no_data_after(self) -> timedelta:
        after = self._read("no_data_after", typed.length) if self._chose("no_data") else timedelta(minutes=15)
        if after < 2 * settings.SLICE or after > timedelta(days=3):
            least = written(2 * settings.SLICE)
            raise ValidationError(f"It waits at least {least}, so that one late scrape tells nobody, and at most 3 d.")
        return after

    @property
    def _judges_slices(self) -> bool:
        return self._chose("method") == "timeslices" and self._chose("counting") not in BY_TIME

    def _read[T](self, field: str, reader: Callable[[str], T]) -> T:
        try:
            return reader(self.cleaned_data[field])
        except Unreadable as problem:
            raise ValidationError(str(problem)) from None

    # -- All together
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        counting = cleaned.get("counting")
        if counting == "expression":
            self._need_queries(cleaned)
        elif counting in BY_TIME:
            self._need("expression", cleaned, "Write the query whose answer is judged for every time slice.")
        elif counting:
            self._need("metric", cleaned, "Name the metric that counts the events.")
        if counting == "events" and not cleaned.get("bad_metric"):
            self._need_mark()
        self.rows.check_rules(cleaned.get("window"), cleaned.get("target"))
        self._refuse_taken_name(cleaned.get("name", ""))
        return cleaned

    def is_valid(self) -> bool:
        return super().is_valid() and not self.row_errors

    @property
    def row_errors(self) -> list[str]:
        return [row.error for row in self._counted_rows() if row.error] + self.rule_errors

    @property
    def rule_errors(self) -> list[str]:
        errors = [row.error for row in self.rows.tiers] + [row.error for row in self.rows.budgets]
        return [error for error in errors if error]

    def _counted_rows(self) -> list[MatcherRow]:
        match self._chose("counting"):
            case "events":
                return [*self.rows.matchers, *self.rows.bad]
            case "latency":
                return self.rows.matchers
        return []

    def _need(self, field: str, cleaned: Mapping[str, Any], sentence: str) -> None:
        if not str(cleaned.get(field, "")).strip() and field not in self.errors:
            self.add_error(field, sentence)

    def _need_mark(self) -> None:
        if not any(row.matcher for row in self.rows.bad) and not any(row.error for row in self.rows.bad):
            self.rows.bad = self.rows.bad or [MatcherRow(op="=~")]
            marks = "good" if self._chose("marks") == "good" else "bad"
            self.rows.bad[0].error = f"Say by which label a {marks} event is known, e.g. its status =~ 5.."

    def _need_queries(self, cleaned: Mapping[str, Any]) -> None:
        for field in ("total_expression", "bad_expression"):
            self._need(field, cleaned, "Write the query that counts these events.")
            if field not in self.errors and WINDOW not in cleaned.get(field, ""):
                self.add_error(field, f"Use {WINDOW} where the length of a slice belongs, e.g. [{WINDOW}].")

    def _refuse_taken_name(self, name: str) -> None:
        others = self.flow.objectives.filter(archived_at=None, name__iexact=name)
        if self.objective:
            others = others.exclude(pk=self.objective.pk)
        if name and others.exists():
            self.add_error("name", "Another objective of this flow has this name. Choose another.")

    @property
    def unplaced(self) -> list[str]:
        """Errors of fields that only offer choices, which nobody gets wrong by typing."""
        fields = ("marks", "comparison", "calendar", "method", "certainty", "no_data", "bad_metric")
        return [str(error) for name in fields for error in self.errors.get(name, ())]

    # -- What it says
    @property
    def to_change(self) -> int:
        """How many places need a change before this can be saved."""
        return len(self.errors) + len(self.row_errors)

    def draft(self) -> Draft | None:
        """What can be tried out; `None` while something that it needs is missing. Asks for a checked form.

        Rules that make no sense are left out, so that one of them does not hide what the others would have done.
        """
        if self.errors.keys() - {"name", "description"} or any(row.error for row in self._counted_rows()):
            return None
        given = self.cleaned_data
        window = Window(given["window"], given["calendar"], given["time_zone"])
        found = objective_draft.definition(given | {"window": window}, self.rows, self.objective)
        return Draft(given["source"], found)

    @property
    def missing(self) -> list[str]:
        """What has to be filled in or changed before anything can be tried, as sentences."""
        texts = [str(error) for name, errors in self.errors.items() if name != "name" for error in errors]
        return texts + [row.error for row in self._counted_rows() if row.error]

    def differences(self) -> int:
        """In how many places what was typed differs from what is stored; 0 while it cannot be told."""
        draft = self.draft()
        return objective_draft.differences(draft, self.objective) if draft and self.objective else 0

    def as_typed(self, **changed: str) -> "ObjectiveForm":
        """The same texts and rows without a judgement on them: while somebody is still filling it in."""
        form = ObjectiveForm(self.flow, self.objective)
        form.initial.update({name: self.data.get(name, "") for name in self.fields} | changed)
        form.rows, form._window, form._target = self.rows, self.known_window, self.known_target
        for row in (*form.rows.matchers, *form.rows.bad):
            row.check()
        form.rows.check_rules(self.known_window, self.known_target)
        return form

    # -- What follows from it
    @property
    def known_window(self) -> timedelta:
        window: timedelta | None = self.cleaned_data.get("window") if self.is_bound else None
        return window or self._window

    @property
    def known_target(self) -> Decimal | None:
        return self.cleaned_data.get("target") if self.is_bound else self._target

    @property
    def tiers_for(self) -> str:
        """The window that the tiers shown belong to, in seconds."""
        return in_seconds(self.known_window)

    @property
    def outage(self) -> timedelta | None:
        """How long everything may fail before the budget is gone; `None` while the target is not known."""
        target = self.known_target
        if target is None:
            return None
        seconds = Decimal(self.known_window // timedelta(seconds=1)) * (1 - target)
        return timedelta(seconds=float(seconds))

    # -- What its selects offer
    @property
    def countings(self) -> list[tuple[str, str, str, bool]]:
        chosen = self["counting"].value()
        return [(key, word, sub, key == chosen) for key, word, sub in COUNTINGS]

    @property
    def windows(self) -> list[str]:
        return [written(length) for length in WINDOWS]

    @property
    def zones(self) -> list[str]:
        return sorted(available_timezones())

    @property
    def presets(self) -> list[tuple[Preset, str]]:
        """Each with the share of the budget that its tiers cost before somebody is told."""
        return [(preset, _shares(preset)) for preset in PRESETS]


def _shares(preset: Preset) -> str:
    tiers = preset.scaled(USUAL_WINDOW)
    return ", ".join(f"{plain(tier.budget_share * 100)}\N{NARROW NO-BREAK SPACE}%" for tier in tiers)
