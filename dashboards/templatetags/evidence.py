"""Filters for what requests left behind: nanoseconds, exact times, and text that nobody vouches for."""

from datetime import UTC, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from connectors.telemetry import from_ns
from dashboards import visible as shown
from dashboards.templatetags.fireline import DASH, NBSP, ratio, width
from slo import wording

register = template.Library()


@register.filter
def milliseconds(ns: int | None) -> str:
    """Nanoseconds as milliseconds: 4,000 ms, 12 ms, 0.4 ms; to be compared down a column."""
    if ns is None:
        return DASH
    value = ns / 1e6
    if 0 < value < 0.1:
        return f"<{NBSP}0.1{NBSP}ms"
    return f"{value:,.0f}{NBSP}ms" if value >= 10 or value == round(value) else f"{value:.1f}{NBSP}ms"


@register.filter
def brief(ns: int | None) -> str:
    """Nanoseconds to three figures in the unit that fits: 4.16 s, 412 ms, 80 µs."""
    if ns is None:
        return DASH
    if ns >= 60_000_000_000:
        return f"{ns / 60e9:,.1f}{NBSP}min"
    if ns >= 1_000_000_000:
        return f"{ns / 1e9:.{2 if ns < 10e9 else 1}f}{NBSP}s"
    if ns >= 100_000 or ns == 0:
        return f"{ns / 1e6:.{0 if ns >= 10e6 or ns == 0 else 1}f}{NBSP}ms"
    return f"{ns / 1e3:.0f}{NBSP}µs"


@register.filter
def exact(at: datetime | int | None) -> SafeString | str:
    """14:11:41.235, in the viewer's zone once the page's script has run; UTC and the day in the title."""
    if at is None:
        return DASH
    moment = (from_ns(at) if isinstance(at, int) else at).astimezone(UTC)
    parts = (f"{moment:%H:%M:%S}", f"{moment.microsecond // 1000:03}")
    return format_html(
        '<time datetime="{}" title="{}" data-local="exact">{}</time>',
        f"{moment:%Y-%m-%dT}{parts[0]}.{parts[1]}Z",
        f"{moment.day} {moment:%b %Y}, {parts[0]}.{parts[1]} UTC",
        ".".join(parts),
    )


@register.filter
def visible(text: object) -> SafeString:
    """Text from outside: escaped, and with its control characters shown."""
    return shown.marked(text)


@register.filter
def in_line(text: object, longest: int = 240) -> str:
    """The same in one line, cut to `longest`."""
    return shown.plain(text, longest)


@register.filter
def figure(value: object) -> str:
    """A number of a finding as people read it: three digits, thousands set apart; words as they are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return wording.plain(value) if isinstance(value, int | float) else str(value)


@register.simple_tag
def ratio_bar(value: float | None, look: str, of_what: str) -> SafeString:
    """One of two bars that are compared: a ratio 0…1, filled with the class `look`."""
    return format_html(
        '<svg class="bar" role="img" aria-label="{} {}"><rect class="{}" width="{}" height="100%" rx="2"/></svg>',
        ratio(value),
        of_what,
        look,
        width(value),
    )
