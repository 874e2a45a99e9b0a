"""Filters and tags that print numbers, durations, times and bars the way the design asks.

Everything is formatted with a point whatever the locale; a unit is joined to its number with a no-break space,
the percent sign with a narrow one. `None` prints as a dash: it was not measured.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import now

register = template.Library()

NBSP = "\u00a0"
NARROW = "\u202f"
DASH = "–"

type Number = int | float | Decimal

# Status of a pill: its icon and its word. Only `paging` is solid red.
PILLS: dict[str, tuple[str, str]] = {
    "paging": ("bell", "Paging"),
    "page": ("bell", "Page"),
    "burning": ("flame", "Burning"),
    "ticket": ("flame", "Ticket"),
    "no-data": ("nodata", "No data"),
    "silenced": ("bell-off", "Silenced"),
    "maintenance": ("wrench", "Maintenance"),
    "frozen": ("clock", "Frozen"),
    "inactive": ("check", "Calm"),
    "firing": ("flame", "Firing"),
    "planned": ("clock", "Planned"),
    "cancelled": ("x", "Cancelled"),
    "past": ("check", "Over"),
    "ok": ("ok", "OK"),
    "open": ("flame", "Open"),
    "acknowledged": ("check", "Acknowledged"),
    "resolved": ("ok", "Resolved"),
    "reviewed": ("doc", "Reviewed"),
    "archived": ("archive", "Archived"),
    "error": ("error", "Error"),
    "off": ("bell-off", "Off"),
    "unknown": ("clock", "Not tested"),
}
PILL_LOOK = {
    "page": "paging",
    "ticket": "burning",
    "open": "burning",
    "resolved": "ok",
    "error": "burning",
    "firing": "burning",
}


# -- Icons and pills
@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of static/icons.svg, hidden from screen readers: the word stands beside it."""
    return format_html(
        '<svg class="i" aria-hidden="true"><use href="{}#i-{}"/></svg>', static("icons.svg"), name or "wave"
    )


@register.simple_tag
def pill(status: str, text: str = "") -> SafeString:
    """A status as icon and word; `text` replaces the word."""
    symbol, word = PILLS.get(status, ("nodata", status.replace("-", " ").capitalize()))
    return format_html(
        '<span class="pill" data-status="{}">{}{}</span>', PILL_LOOK.get(status, status), icon(symbol), text or word
    )


# -- Numbers
def _figures(value: Number, digits: int) -> str:
    return f"{value:,.{digits}f}"


def _signed(printed: str) -> str:
    """With a real minus sign; a hyphen is no number's."""
    return printed.replace("-", "−")


@register.filter
def ratio(value: Number | None, digits: int = 1) -> str:
    """A ratio 0…1 as percent: 0.512 → 51.2 %."""
    if value is None:
        return DASH
    percent = float(value) * 100
    digits = 0 if abs(percent) >= 1000 else digits
    least = 10.0**-digits
    rounded = round(percent, digits)
    # 99.97 % of a budget is not all of it, and 0.02 % is not nothing.
    if rounded == 100 and percent < 100:
        rounded = 100 - least
    if rounded == 0 and percent > 0:
        return f"<{NBSP}{_figures(least, digits)}{NARROW}%"
    return f"{_signed(_figures(rounded, digits))}{NARROW}%"


@register.filter
def target(value: Decimal | None) -> str:
    """A target with all the digits it was given: 0.9995 → 99.95 %."""
    if value is None:
        return DASH
    percent = (Decimal(value) * 100).normalize()
    return f"{percent:f}{NARROW}%"


@register.filter
def count(value: Number | None) -> str:
    """A number of events: 2376.0 → 2,376. Parts of an event, which free PromQL may answer, are shown below 10."""
    if value is None:
        return DASH
    if value < 10 and value != round(value):
        return _figures(value, 1)
    return _figures(round(value), 0)


@register.filter
def burn(value: Number | None) -> str:
    """A burn rate: 33.2×."""
    if value is None:
        return DASH
    if value == 0 or value >= 100:
        return f"{_figures(value, 0)}×"
    if value < 0.05:
        return "<\u00a00.1×"
    return f"{_figures(value, 1).removesuffix('.0')}×"


@register.filter
def rate(value: Number | None) -> str:
    """Events per second, to three figures: 20.4/s."""
    if value is None:
        return DASH
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{_figures(value, digits)}/s"


# -- Durations and times
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@register.filter
def duration(value: timedelta | Number | None) -> str:
    """How long, in its two largest units: 2 h 15 min, 52 s, 4.1 s, 400 ms. A bare number is seconds."""
    if value is None:
        return DASH
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 1:
        return _milliseconds(seconds * 1000)
    if seconds < 10 and seconds != round(seconds):
        return f"{seconds:.1f}{NBSP}s"
    return _two_units(round(seconds))


def _milliseconds(value: float) -> str:
    if value == 0:
        return f"0{NBSP}s"
    return f"{value:.{0 if value >= 10 or value == round(value) else 1}f}{NBSP}ms"


def _two_units(seconds: int) -> str:
    for place, (size, unit) in enumerate(_UNITS):
        if seconds >= size or size == 1:
            first, rest = divmod(seconds, size)
            printed = f"{first}{NBSP}{unit}"
            if rest and place + 1 < len(_UNITS):
                smaller, small_unit = _UNITS[place + 1]
                if rest // smaller:
                    printed += f"{NBSP}{rest // smaller}{NBSP}{small_unit}"
            return printed
    return f"0{NBSP}s"


@register.filter
def span_of(value: timedelta | None) -> str:
    """The length of a window in its largest whole unit: 5 m, 1 h, 3 d, 30 d."""
    if value is None:
        return DASH
    seconds = round(value.total_seconds())
    # A day stays 24 h for nobody but the arithmetic; windows are named the way the workbook names them.
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        # 16 h 48 min is no number of minutes that anybody knows.
        if seconds >= size and seconds % size == 0 and seconds // size < 600:
            return f"{seconds // size}{NBSP}{unit}"
    return duration(value)


def _time(value: datetime | None, style: str, pattern: str) -> SafeString | str:
    if value is None:
        return DASH
    moment = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}" data-local="{}">{} UTC</time>',
        f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC",
        style,
        f"{moment.day} {moment:{pattern}}" if style in ("moment", "recent", "day") else f"{moment:{pattern}}",
    )


@register.filter
def clock(value: datetime | None) -> SafeString | str:
    """14:03:11, in the viewer's zone once the page's script has run; UTC without it and in the title."""
    return _time(value, "clock", "%H:%M:%S")


@register.filter
def minute(value: datetime | None) -> SafeString | str:
    """14:03."""
    return _time(value, "minute", "%H:%M")


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """19 Nov, 14:03; the year only when it is another one."""
    return _time(value, "moment", "%b, %H:%M" if value and value.year == now().year else "%b %Y, %H:%M")


@register.filter
def recent(value: datetime | None) -> SafeString | str:
    """14:03 today, else 19 Nov, 14:03: which day is today is decided by the viewer's zone."""
    return _time(value, "recent", "%b, %H:%M")


@register.filter
def day(value: datetime | None) -> SafeString | str:
    """19 Nov 2026."""
    return _time(value, "day", "%b %Y")


@register.simple_tag
def asof(value: datetime | None) -> SafeString:
    """When the numbers beside it were true."""
    if value is None:
        return format_html('<span class="asof">{}not measured yet</span>', icon("clock"))
    return format_html('<span class="asof">{}as of {}</span>', icon("clock"), clock(value))


@register.filter
def since(value: datetime | None, until: datetime | None = None) -> str:
    """How long ago, or how long until `until`; whole minutes from one minute on."""
    if value is None:
        return DASH
    seconds = max(0, round(((until or now()) - value).total_seconds()))
    return duration(timedelta(seconds=seconds if seconds < 60 else seconds // 60 * 60))


# -- Bars: widths are percentages in SVG attributes, because a strict CSP blocks style attributes
def percentage(value: Number, least: float = 0.0) -> str:
    """A ratio as an SVG attribute: clamped to 0…100, with a point."""
    return f"{min(100.0, max(least, float(value) * 100)):.2f}".rstrip("0").rstrip(".") + "%"


@register.filter
def width(value: Number | None) -> str:
    """A ratio as an SVG width; something visible even when it is tiny: at least 0.35 %."""
    return "0%" if not value or value <= 0 else percentage(value, least=0.35)


@register.filter
def offset(value: Number | None) -> str:
    """A ratio as an SVG offset."""
    return percentage(value or 0)


@register.simple_tag
def bar(value: Number | None, label: str, tone: str = "", classes: str = "") -> SafeString:
    """A horizontal bar for a ratio 0…1; `label` is what a screen reader says."""
    return format_html(
        '<svg class="bar{}"{} role="img" aria-label="{}"><rect class="fill" width="{}" height="100%"/></svg>',
        f" {classes}" if classes else "",
        format_html(' data-tone="{}"', tone) if tone else "",
        label,
        width(value),
    )


@register.simple_tag
def budget_bar(left: Number | None) -> SafeString | str:
    """What is left of an error budget as a bar and a percentage; below a quarter it is bad."""
    if left is None:
        return mark_safe('<span class="dim">not measured</span>')
    tone = "bad" if left < 0.25 else ""
    return format_html(
        '<span class="budget">{}<b{}>{}</b></span>',
        bar(max(left, 0), f"{ratio(left)} of the budget left", tone),
        mark_safe(' class="t-bad"') if left <= 0 else "",
        ratio(left),
    )


# -- Query strings: paging and filters keep what else is asked for
@register.simple_tag(takes_context=True)
def with_query(context: dict[str, Any], **changes: Any) -> str:
    """This page's query string with some parameters changed; `None` takes one out."""
    query = context["request"].GET.copy()
    for name, value in changes.items():
        query.pop(name, None)
        if value not in (None, ""):
            query[name] = str(value)
    return f"?{query.urlencode()}"
