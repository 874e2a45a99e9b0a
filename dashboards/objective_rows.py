"""The rows of the objective's form: label matchers, tiers and budget alerts, as typed and as what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol, cast

from dashboards import typed
from dashboards.templatetags.fireline import duration
from dashboards.typed import Unreadable, in_seconds, plain
from slo import tiers, wording
from slo.counting import Matcher, Operator
from slo.definition import USUAL_BUDGET_ALERTS, BudgetAlert
from slo.tiers import Preset, Severity, Tier

OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")
SEVERITIES: tuple[tuple[Severity, str], ...] = (("page", "Page"), ("ticket", "Ticket"))
LONGS = tuple(
    timedelta(minutes=minutes)
    for minutes in (5, 10, 15, 30, 60, 120, 180, 240, 360, 480, 720, 960, 1440, 2 * 1440, 3 * 1440, 4 * 1440, 7 * 1440)
)
SHORTS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 360, 720, 1440))
# More than anybody has use for; a form that was made by hand must not keep the server busy.
MOST_ROWS = 30
LONGEST_TEXT = 400
PRESETS = tiers.PRESETS
PRESETS_BY_NAME = {preset.name: preset for preset in PRESETS}


class Posted(Protocol):
    """What a form was filled with; Django's `QueryDict`."""

    def getlist(self, key: str) -> list[str]: ...


@dataclass(slots=True)
class MatcherRow:
    label: str = ""
    op: str = "="
    value: str = ""
    error: str = ""

    @property
    def empty(self) -> bool:
        return not self.label.strip() and not self.value

    @property
    def matcher(self) -> Matcher | None:
        return None if self.empty or self.error else Matcher(self.label.strip(), cast(Operator, self.op), self.value)

    @property
    def operators(self) -> tuple[Operator, ...]:
        return OPERATORS

    def check(self) -> None:
        if self.empty:
            self.error = ""
        elif not self.label.strip():
            self.error = "Name the label that this value belongs to."
        elif self.op not in OPERATORS:
            self.error = f"Choose one of {', '.join(OPERATORS)}."
        else:
            self.error = "" if len(self.label) + len(self.value) < LONGEST_TEXT else "This is longer than any label."


@dataclass(slots=True)
class TierRow:
    """One tier; seconds and percent as they were typed. `about` fills in what is worked out from it."""

    severity: str = "page"
    long: str = "3600"
    short: str = "300"
    share: str = "2"
    error: str = ""
    tier: Tier | None = None
    factor: Decimal | None = None
    detection: timedelta | None = None
    partial_detection: timedelta | None = None
    bad: float | None = None

    @classmethod
    def of(cls, tier: Tier) -> "TierRow":
        return cls(tier.severity, in_seconds(tier.long), in_seconds(tier.short), plain(tier.budget_share * 100))

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.severity, self.long, self.short, self.share

    @property
    def fires_over(self) -> str:
        return wording.burn(self.factor) if self.factor is not None else ""

    @property
    def after(self) -> str:
        """How soon it fires with everything failing, in words; nothing while the tier is not known."""
        return _time(self.detection) if self.factor is not None else ""

    @property
    def after_partly(self) -> str:
        """The same with 30 % failing."""
        return _time(self.partial_detection) if self.factor is not None else ""

    @property
    def longs(self) -> list[tuple[str, timedelta]]:
        return typed.choices(LONGS, self.long)

    @property
    def shorts(self) -> list[tuple[str, timedelta]]:
        return typed.choices(SHORTS, self.short)

    def check(self, window: timedelta | None, target: Decimal | None) -> None:
        """Works out the tier for an objective, and says what is wrong with it in `error`."""
        self.error, self.tier, self.factor = "", None, None
        try:
            tier = self._read()
        except Unreadable as problem:
            self.error = str(problem)
            return
        self.tier = tier
        if window is None or target is None:
            return
        self.error = tiers.problem(tier, window, target) or ""
        self.factor = tier.factor(window)
        self.detection = tiers.detection_time(tier, window, target, 1)
        self.partial_detection = tiers.detection_time(tier, window, target, Decimal("0.3"))

    def _read(self) -> Tier:
        return Tier(
            _severity(self.severity), typed.seconds(self.long), typed.seconds(self.short), typed.share(self.share)
        )


@dataclass(slots=True)
class BudgetRow:
    """One budget alert: tells when so many percent are spent."""

    severity: str = "ticket"
    spent: str = "50"
    error: str = ""
    alert: BudgetAlert | None = None

    @classmethod
    def of(cls, alert: BudgetAlert) -> "BudgetRow":
        return cls(alert.severity, plain(alert.spent * 100))

    def check(self) -> None:
        self.error, self.alert = "", None
        try:
            self.alert = BudgetAlert(_severity(self.severity), typed.share(self.spent))
        except Unreadable as problem:
            self.error = str(problem)


def matcher_rows(posted: Posted, prefix: str) -> list[MatcherRow]:
    columns = (posted.getlist(f"{prefix}_{part}") for part in ("label", "op", "value"))
    rows = [MatcherRow(*cells) for cells in zip(*columns, strict=False)][:MOST_ROWS]
    for row in rows:
        row.check()
    return rows


def tier_rows(posted: Posted) -> list[TierRow]:
    columns = (posted.getlist(f"tier_{part}") for part in ("severity", "long", "short", "share"))
    return [TierRow(*cells) for cells in zip(*columns, strict=False)][:MOST_ROWS]


def budget_rows(posted: Posted) -> list[BudgetRow]:
    columns = (posted.getlist(f"budget_{part}") for part in ("severity", "spent"))
    return [BudgetRow(*cells) for cells in zip(*columns, strict=False)][:MOST_ROWS]


def stored_matchers(rows: Sequence[Mapping[str, str]]) -> list[MatcherRow]:
    return [MatcherRow(row["label"], row.get("op", "="), row["value"]) for row in rows]


def usual_budget_rows() -> list[BudgetRow]:
    return [BudgetRow.of(alert) for alert in USUAL_BUDGET_ALERTS]


def preset_rows(preset: Preset, window: timedelta, target: Decimal | None = None) -> list[TierRow]:
    return [TierRow.of(tier) for tier in preset.scaled(window, target)]


def workbook_rows(window: timedelta, target: Decimal | None = None) -> list[TierRow]:
    return preset_rows(tiers.WORKBOOK, window, target)


def refuse_doubles(rows: Sequence[TierRow]) -> None:
    """Two tiers with the same severity and windows are one rule said twice."""
    seen = set[tuple[str, timedelta, timedelta]]()
    for row in rows:
        if row.tier is None:
            continue
        rule = (row.tier.severity, row.tier.long, row.tier.short)
        if rule in seen and not row.error:
            row.error = "Another tier has this severity and these windows. Change or remove one."
        seen.add(rule)


def refuse_double_alerts(rows: Sequence[BudgetRow]) -> None:
    seen = set[BudgetAlert]()
    for row in rows:
        if row.alert in seen and not row.error:
            row.error = "Another alert tells the same at this share. Change or remove one."
        if row.alert:
            seen.add(row.alert)


def _severity(text: str) -> Severity:
    found = next((key for key, _ in SEVERITIES if key == text), None)
    if found is None:
        raise Unreadable("Choose whether it pages or opens a ticket.")
    return found


def _time(length: timedelta | None) -> str:
    return "never" if length is None else duration(length)


# -- All rows
@dataclass(slots=True)
class Rows:
    """All rows of a form."""

    matchers: list[MatcherRow] = field(default_factory=list)
    bad: list[MatcherRow] = field(default_factory=list)
    tiers: list[TierRow] = field(default_factory=list)
    budgets: list[BudgetRow] = field(default_factory=list)

    @classmethod
    def posted(cls, data: Posted) -> "Rows":
        return cls(matcher_rows(data, "match"), matcher_rows(data, "bad"), tier_rows(data), budget_rows(data))

    def check_rules(self, window: timedelta | None, target: Decimal | None) -> None:
        for row in self.tiers:
            row.check(window, target)
        refuse_doubles(self.tiers)
        for budget in self.budgets:
            budget.check()
        refuse_double_alerts(self.budgets)

    def act(self, data: Mapping[str, str], window: timedelta, target: Decimal | None) -> bool:
        """Does what one of the rows' own buttons asks for; whether one was pressed."""
        buttons: tuple[tuple[str, list[Any]], ...] = (
            ("match", self.matchers),
            ("bad", self.bad),
            ("tier", self.tiers),
            ("budget", self.budgets),
        )
        if any(_removed(data.get(f"remove_{name}", ""), rows) for name, rows in buttons):
            return True
        if "add_match" in data:
            self.matchers.append(MatcherRow())
        elif "add_bad" in data:
            self.bad.append(MatcherRow(op="=~"))
        elif "add_tier" in data:
            self.tiers.append(TierRow())
        elif "add_budget" in data:
            self.budgets.append(BudgetRow())
        elif (preset := data.get("preset", "")) in PRESETS_BY_NAME:
            self.tiers[:] = preset_rows(PRESETS_BY_NAME[preset], window, target)
        elif "rescale" in data:
            self._follow(data.get("tiers_for", ""), window, target)
        else:
            return False
        return True

    def _follow(self, before: str, window: timedelta, target: Decimal | None) -> None:
        """Another window was chosen: a preset's tiers follow it, tiers that somebody changed stay."""
        try:
            old = typed.seconds(before)
        except Unreadable:
            return
        now = [row.cells for row in self.tiers]
        for preset in PRESETS:
            if any(now == [row.cells for row in preset_rows(preset, old, goal)] for goal in (None, target)):
                self.tiers[:] = preset_rows(preset, window, target)
                return


def _removed(place: str, rows: list[Any]) -> bool:
    if not place.isascii() or not place.isdecimal():
        return False
    if int(place) < len(rows):
        del rows[int(place)]
    return True
