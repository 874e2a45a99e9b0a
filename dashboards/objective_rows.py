"""The rows of the objective's form: label matchers and tiers, as they were typed and as what they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Protocol, cast

from dashboards.templatetags.fireline import duration
from slo import tiers, wording
from slo.counting import Matcher, Operator
from slo.tiers import Severity, Tier

OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")
SEVERITIES: tuple[tuple[Severity, str], ...] = (("page", "Page"), ("ticket", "Ticket"))
WINDOWS = tuple(
    timedelta(minutes=minutes)
    for minutes in (60, 360, 720, 1440, 3 * 1440, 7 * 1440, 14 * 1440, 28 * 1440, 30 * 1440, 90 * 1440)
)
LONGS = tuple(
    timedelta(minutes=minutes)
    for minutes in (5, 10, 15, 30, 60, 120, 180, 240, 360, 480, 720, 960, 1440, 2 * 1440, 3 * 1440, 4 * 1440, 7 * 1440)
)
SHORTS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 360, 720, 1440))
# More than anybody has use for; a form that was made by hand must not keep the server busy.
MOST_ROWS = 30
LONGEST_TEXT = 400
_TARGET_PLACES = 9
_SHARE_PLACES = 4


class Posted(Protocol):
    """What a form was filled with; Django's `QueryDict`."""

    def getlist(self, key: str) -> list[str]: ...


class Unreadable(ValueError):
    """What was typed means nothing; the message says what is expected."""


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
        return cls(tier.severity, _seconds(tier.long), _seconds(tier.short), plain(tier.budget_share * 100))

    @property
    def typed(self) -> tuple[str, str, str, str]:
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
        return choices(LONGS, self.long)

    @property
    def shorts(self) -> list[tuple[str, timedelta]]:
        return choices(SHORTS, self.short)

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
        severity = next((key for key, _ in SEVERITIES if key == self.severity), None)
        if severity is None:
            raise Unreadable("Choose whether it pages or opens a ticket.")
        return Tier(severity, length(self.long), length(self.short), share(self.share))


def matcher_rows(posted: Posted, prefix: str) -> list[MatcherRow]:
    columns = (posted.getlist(f"{prefix}_{part}") for part in ("label", "op", "value"))
    rows = [MatcherRow(*cells) for cells in zip(*columns, strict=False)][:MOST_ROWS]
    for row in rows:
        row.check()
    return rows


def tier_rows(posted: Posted) -> list[TierRow]:
    columns = (posted.getlist(f"tier_{part}") for part in ("severity", "long", "short", "share"))
    return [TierRow(*cells) for cells in zip(*columns, strict=False)][:MOST_ROWS]


def stored_matchers(rows: Sequence[Mapping[str, str]]) -> list[MatcherRow]:
    return [MatcherRow(row["label"], row.get("op", "="), row["value"]) for row in rows]


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


# -- What a text means
def target(text: str) -> Decimal:
    """A target as a ratio, from percent with up to nine decimals. Raises `Unreadable`."""
    percent = _number(text, "Enter the target as a percentage, such as 99.9.")
    if percent <= 0:
        raise Unreadable("A target of 0 % or less would allow every request to fail. Choose one above 0 %.")
    if percent >= 100:
        raise Unreadable(
            "A target of 100 % leaves no budget: the first bad request would break it. Choose one below, such as 99.99."
        )
    if _places(percent) > _TARGET_PLACES:
        raise Unreadable(f"A target has at most {_TARGET_PLACES} decimals.")
    return percent / 100


def share(text: str) -> Decimal:
    """A share of the budget as a ratio, from percent. Raises `Unreadable`."""
    percent = _number(text, "Enter the share of the budget as a percentage, such as 2.")
    if not 0 < percent <= 100:
        raise Unreadable("The share of the budget is above 0 % and at most 100 %.")
    if _places(percent) > _SHARE_PLACES:
        raise Unreadable(f"The share of the budget has at most {_SHARE_PLACES} decimals.")
    return percent / 100


def length(text: str) -> timedelta:
    """A window, from whole seconds. Raises `Unreadable`."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) <= 90 * 86_400:
        raise Unreadable("Choose a window from the list.")
    return timedelta(seconds=int(text[:9]))


def limit(text: str) -> Decimal:
    """A latency limit in seconds. Raises `Unreadable`."""
    seconds = _number(text, "Choose the bucket that good requests must be in.")
    if not 0 < seconds < 100_000 or _places(seconds) > 6:
        raise Unreadable("The limit is above 0 s, with at most six decimals.")
    return seconds


def choices(usual: Sequence[timedelta], current: str) -> list[tuple[str, timedelta]]:
    """What a select offers: the usual windows, and the current one when it is unusual."""
    offered = set(usual)
    if current.isascii() and current.isdecimal() and len(current) < 9:
        offered.add(timedelta(seconds=int(current)))
    return [(_seconds(one), one) for one in sorted(offered) if one]


def plain(number: Decimal) -> str:
    """As people type it: 99.9, not 99.90000 and not 9.99E+1."""
    return f"{number.normalize():f}"


def _number(text: str, expected: str) -> Decimal:
    cleaned = "".join(text.split()).removesuffix("%").replace(",", ".", 1)
    if not cleaned.isascii() or len(cleaned) > 24 or "e" in cleaned.lower():
        raise Unreadable(expected)
    try:
        number = Decimal(cleaned)
    except InvalidOperation:
        raise Unreadable(expected) from None
    if not number.is_finite():
        raise Unreadable(expected)
    return number


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _time(length: timedelta | None) -> str:
    return "never" if length is None else duration(length)


def _seconds(length: timedelta) -> str:
    return str(length // timedelta(seconds=1))


def workbook_rows(window: timedelta, target: Decimal | None = None) -> list[TierRow]:
    return [TierRow.of(tier) for tier in tiers.scaled_for(window, target)]


@dataclass(slots=True)
class Rows:
    """All rows of a form."""

    matchers: list[MatcherRow] = field(default_factory=list)
    bad: list[MatcherRow] = field(default_factory=list)
    tiers: list[TierRow] = field(default_factory=list)

    @classmethod
    def posted(cls, data: Posted) -> "Rows":
        return cls(matcher_rows(data, "match"), matcher_rows(data, "bad"), tier_rows(data))

    def check_tiers(self, window: timedelta | None, target: Decimal | None) -> None:
        for row in self.tiers:
            row.check(window, target)
        refuse_doubles(self.tiers)

    def act(self, data: Mapping[str, str], window: timedelta, target: Decimal | None) -> bool:
        """Does what one of the rows' own buttons asks for; whether one was pressed."""
        buttons: tuple[tuple[str, list[MatcherRow] | list[TierRow]], ...] = (
            ("match", self.matchers),
            ("bad", self.bad),
            ("tier", self.tiers),
        )
        for name, rows in buttons:
            if _removed(data.get(f"remove_{name}", ""), rows):
                return True
        if "add_match" in data:
            self.matchers.append(MatcherRow())
        elif "add_bad" in data:
            self.bad.append(MatcherRow(op="=~"))
        elif "add_tier" in data:
            self.tiers.append(TierRow())
        elif "workbook" in data:
            self.tiers[:] = workbook_rows(window, target)
        elif "rescale" in data:
            self._follow(data.get("tiers_for", ""), window, target)
        else:
            return False
        return True

    def _follow(self, before: str, window: timedelta, target: Decimal | None) -> None:
        """Another window was chosen: the workbook's tiers follow it, tiers that somebody changed stay."""
        try:
            old = length(before)
        except Unreadable:
            return
        typed = [row.typed for row in self.tiers]
        if any(typed == [row.typed for row in workbook_rows(old, goal)] for goal in (None, target)):
            self.tiers[:] = workbook_rows(window, target)


def _removed(place: str, rows: list[MatcherRow] | list[TierRow]) -> bool:
    if not place.isascii() or not place.isdecimal():
        return False
    if int(place) < len(rows):
        del rows[int(place)]
    return True
