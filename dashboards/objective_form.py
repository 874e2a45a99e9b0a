"""The objective's form: what was typed, what it means, and a sentence for everything that does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from dashboards import objective_rows
from dashboards.forms import Styled
from dashboards.objective_rows import MatcherRow, Rows, TierRow, Unreadable, plain
from dashboards.templatetags.fireline import duration
from slo.counting import WINDOW, Sli
from slo.definitions import tiers_of
from slo.models import Flow, Objective
from slo.tiers import Tier
from telemetry.models import Source
from telemetry.sources import default_prometheus

COUNTINGS = (
    ("events", "Events", "good or bad of total"),
    ("latency", "Latency", "faster than a limit"),
    ("expression", "PromQL", "two queries of your own"),
)
USUAL_WINDOW = timedelta(days=30)
USUAL_TARGET = Decimal("0.999")
LONGEST_QUERY = 4000
_HISTOGRAM_PARTS = ("_bucket", "_count", "_sum")
_MONO = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}


@dataclass(frozen=True, slots=True)
class Draft:
    """An objective as far as it has to be known to try it out."""

    source: Source
    sli: Sli
    target: Decimal
    window: timedelta
    tiers: tuple[Tier, ...]


class ObjectiveForm(Styled, forms.Form):
    name = forms.CharField(max_length=80, error_messages={"required": "Give the objective a name."})
    source = forms.ModelChoiceField(
        Source.objects.none(),
        label="Prometheus",
        empty_label=None,
        error_messages={"required": "Choose the Prometheus that is asked.", "invalid_choice": "Choose one of these."},
    )
    counting = forms.ChoiceField(choices=[(key, word) for key, word, _ in COUNTINGS], widget=forms.RadioSelect)
    metric = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs=_MONO))
    threshold = forms.CharField(required=False, max_length=24, label="Good means at most")
    total_expression = forms.CharField(
        required=False, max_length=LONGEST_QUERY, label="All events", widget=forms.Textarea(attrs=_MONO | {"rows": 3})
    )
    bad_expression = forms.CharField(
        required=False, max_length=LONGEST_QUERY, label="Bad events", widget=forms.Textarea(attrs=_MONO | {"rows": 3})
    )
    target = forms.CharField(max_length=40, error_messages={"required": "Enter the target, such as 99.9."})
    window = forms.CharField(max_length=9)

    def __init__(self, flow: Flow, objective: Objective | None, data: QueryDict | None = None) -> None:
        self.flow, self.objective = flow, objective
        super().__init__(data, initial=_stored(objective) if objective else _proposed())
        self.rows = Rows.posted(data) if data is not None else _stored_rows(objective)
        sources: Any = self.fields["source"]
        sources.queryset = Source.objects.filter(kind=Source.Kind.PROMETHEUS)
        if data is None:
            self.rows.check_tiers(self._initial_window, self._initial_target)

    @property
    def _initial_window(self) -> timedelta:
        return self.objective.window if self.objective else USUAL_WINDOW

    @property
    def _initial_target(self) -> Decimal | None:
        return self.objective.target if self.objective else USUAL_TARGET

    # -- One field at a time
    def clean_metric(self) -> str:
        metric: str = self.cleaned_data["metric"].strip()
        if self.data.get("counting") == "latency":
            # People paste the name of a series; a histogram is named without its parts.
            part = next((part for part in _HISTOGRAM_PARTS if metric.endswith(part)), "")
            return metric.removesuffix(part)
        return metric

    def clean_target(self) -> Decimal:
        return _read(objective_rows.target, self.cleaned_data["target"])

    def clean_window(self) -> timedelta:
        window = _read(objective_rows.length, self.cleaned_data["window"])
        if window < timedelta(hours=1):
            raise ValidationError("An objective's window is at least an hour long.")
        return window

    def clean_threshold(self) -> Decimal | None:
        if self.data.get("counting") != "latency":
            return None
        return _read(objective_rows.limit, self.cleaned_data["threshold"])

    # -- All together
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        counting = cleaned.get("counting")
        if counting == "expression":
            self._need_expressions(cleaned)
        elif counting:
            self._need_metric(cleaned)
        if counting == "events":
            self._need_bad()
        self.rows.check_tiers(cleaned.get("window"), cleaned.get("target"))
        self._refuse_taken_name(cleaned.get("name", ""))
        return cleaned

    def is_valid(self) -> bool:
        return super().is_valid() and not self.row_errors

    @property
    def row_errors(self) -> list[str]:
        rows: list[MatcherRow | TierRow] = [*self._counted_rows(), *self.rows.tiers]
        return [row.error for row in rows if row.error]

    @property
    def tier_errors(self) -> list[str]:
        return [row.error for row in self.rows.tiers if row.error]

    def _counted_rows(self) -> list[MatcherRow]:
        match self.data.get("counting"):
            case "events":
                return [*self.rows.matchers, *self.rows.bad]
            case "latency":
                return self.rows.matchers
        return []

    def _need_metric(self, cleaned: Mapping[str, Any]) -> None:
        if not cleaned.get("metric") and "metric" not in self.errors:
            self.add_error("metric", "Name the metric that counts the events.")

    def _need_bad(self) -> None:
        if not any(row.matcher for row in self.rows.bad) and not any(row.error for row in self.rows.bad):
            self.rows.bad = self.rows.bad or [MatcherRow(op="=~")]
            self.rows.bad[0].error = "Say by which label a bad event is known, e.g. its status =~ 5.."

    def _need_expressions(self, cleaned: Mapping[str, Any]) -> None:
        for field in ("total_expression", "bad_expression"):
            expression = str(cleaned.get(field, "")).strip()
            if not expression:
                self.add_error(field, "Write the query that counts these events.")
            elif WINDOW not in expression:
                self.add_error(field, f"Use {WINDOW} where the length of a slice belongs, e.g. [{WINDOW}].")

    def _refuse_taken_name(self, name: str) -> None:
        others = self.flow.objectives.filter(archived_at=None, name__iexact=name)
        if self.objective:
            others = others.exclude(pk=self.objective.pk)
        if name and others.exists():
            self.add_error("name", "Another objective of this flow has this name. Choose another.")

    # -- What it says
    @property
    def to_change(self) -> int:
        """How many places need a change before this can be saved."""
        return len(self.errors) + len(self.row_errors)

    def draft(self) -> Draft | None:
        """What can be tried out; `None` while something that it needs is missing. Asks for a checked form."""
        needed = {"source", "counting", "metric", "threshold", "target", "window", "total_expression", "bad_expression"}
        if needed & self.errors.keys() or any(row.error for row in self._counted_rows()):
            return None
        given = self.cleaned_data
        # Tiers that make no sense are left out, so that one of them does not hide what the others would have done.
        usable = tuple(row.tier for row in self.rows.tiers if row.tier and not row.error)
        return Draft(given["source"], self._sli(), given["target"], given["window"], usable)

    def _sli(self) -> Sli:
        given = self.cleaned_data
        if given["counting"] == "expression":
            return Sli("events", bad_expression=given["bad_expression"], total_expression=given["total_expression"])
        chosen = tuple(row.matcher for row in self.rows.matchers if row.matcher)
        if given["counting"] == "latency":
            return Sli("latency", given["metric"], chosen, threshold=given["threshold"])
        return Sli("events", given["metric"], chosen, tuple(row.matcher for row in self.rows.bad if row.matcher))

    def filled(self) -> Objective:
        """The objective as the form says, not saved; of a valid form."""
        given, sli = self.cleaned_data, self._sli()
        objective = Objective.objects.get(pk=self.objective.pk) if self.objective else Objective(flow=self.flow)
        objective.name, objective.source = given["name"].strip(), given["source"]
        objective.kind, objective.metric, objective.threshold = sli.kind, sli.metric, sli.threshold
        objective.matchers = [_as_row(row) for row in self.rows.matchers if row.matcher and sli.metric]
        objective.bad_matchers = [_as_row(row) for row in self.rows.bad if row.matcher and sli.bad_matchers]
        objective.bad_expression, objective.total_expression = sli.bad_expression, sli.total_expression
        objective.target, objective.window = given["target"], given["window"]
        return objective

    def tiers(self) -> list[Tier]:
        return [row.tier for row in self.rows.tiers if row.tier]

    @property
    def known_window(self) -> timedelta:
        window: timedelta | None = self.cleaned_data.get("window") if self.is_bound else None
        return window or self._initial_window

    @property
    def known_target(self) -> Decimal | None:
        return self.cleaned_data.get("target")

    @property
    def outage(self) -> timedelta | None:
        """How long everything may fail before the budget is gone; `None` while the target is not known."""
        target = self.cleaned_data.get("target") if self.is_bound else self._initial_target
        if target is None:
            return None
        seconds = Decimal(self.known_window // timedelta(seconds=1)) * (1 - target)
        return timedelta(seconds=float(seconds))

    @property
    def missing(self) -> list[str]:
        """What has to be filled in or changed before anything can be tried, as sentences."""
        texts = [str(error) for name, errors in self.errors.items() if name != "name" for error in errors]
        return texts + [row.error for row in self._counted_rows() if row.error]

    def as_typed(self) -> "ObjectiveForm":
        """The same texts and rows without a judgement on them: while somebody is still filling it in."""
        form = ObjectiveForm(self.flow, self.objective)
        form.initial.update({name: self.data.get(name, "") for name in self.fields})
        form.rows = self.rows
        for row in (*form.rows.matchers, *form.rows.bad):
            row.check()
        form.rows.check_tiers(self.cleaned_data.get("window"), self.cleaned_data.get("target"))
        return form

    def differences(self) -> int:
        """In how many places what was typed differs from what is stored."""
        if self.objective is None:
            return 0
        texts = [name for name, value in self.initial.items() if str(value) != self.data.get(name, "").strip()]
        stored = _stored_rows(self.objective)
        return len(texts) + sum(
            (
                _cells(stored.matchers) != _cells(self.rows.matchers),
                _cells(stored.bad) != _cells(self.rows.bad),
                [row.tier for row in self.rows.tiers] != tiers_of(self.objective),
            )
        )

    # -- What its selects offer
    @property
    def countings(self) -> list[tuple[str, str, str, bool]]:
        chosen = self["counting"].value()
        return [(key, word, sub, key == chosen) for key, word, sub in COUNTINGS]

    @property
    def windows(self) -> list[tuple[str, str]]:
        offered = objective_rows.choices(objective_rows.WINDOWS, str(self["window"].value() or ""))
        return [(seconds, _in_words(length)) for seconds, length in offered]


def _read[T](reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except Unreadable as problem:
        raise ValidationError(str(problem)) from None


def _in_words(window: timedelta) -> str:
    """A window as a select offers it: 1 hour, 30 days."""
    for size, word in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour")):
        if not window % size:
            count = window // size
            return f"{count}\N{NO-BREAK SPACE}{word}{'' if count == 1 else 's'}"
    return duration(window)


def _cells(rows: list[MatcherRow]) -> list[dict[str, str]]:
    return [_as_row(row) for row in rows if not row.empty]


def _as_row(row: MatcherRow) -> dict[str, str]:
    return {"label": row.label.strip(), "op": row.op, "value": row.value}


def _proposed() -> dict[str, Any]:
    return {
        "source": default_prometheus(),
        "counting": "events",
        "target": plain(USUAL_TARGET * 100),
        "window": str(USUAL_WINDOW // timedelta(seconds=1)),
    }


def _stored(objective: Objective) -> dict[str, Any]:
    return {
        "name": objective.name,
        "source": objective.source_id,
        "counting": "expression" if objective.total_expression else objective.kind,
        "metric": objective.metric,
        "threshold": plain(objective.threshold) if objective.threshold is not None else "",
        "total_expression": objective.total_expression,
        "bad_expression": objective.bad_expression,
        "target": plain(objective.target * 100),
        "window": str(objective.window // timedelta(seconds=1)),
    }


def _stored_rows(objective: Objective | None) -> Rows:
    if objective is None:
        return Rows([MatcherRow()], [MatcherRow(op="=~")], objective_rows.workbook_rows(USUAL_WINDOW))
    return Rows(
        objective_rows.stored_matchers(objective.matchers),
        objective_rows.stored_matchers(objective.bad_matchers),
        [TierRow.of(tier) for tier in tiers_of(objective)],
    )
