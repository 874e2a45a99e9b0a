"""Text from outside as it really is: control characters and invisible marks are shown, never obeyed."""

import re
from collections.abc import Iterator

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# C0, DEL and C1; zero-width and direction marks; line separators; surrogates that stand alone. Tabs stay.
_HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
LONGEST = 10_000


def symbol(character: str) -> str:
    """What stands for a character that cannot be seen: `\\x1b` for escape, `↵` for a line's end."""
    if character == "\n":
        return "↵"
    # Unicode has pictures of control characters, but few fonts do.
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def plain(text: object, longest: int = LONGEST) -> str:
    """One line of text in which everything can be seen, for titles and attributes."""
    shown = _HIDDEN.sub(lambda found: symbol(found[0]), str(text))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def marked(text: object, longest: int = LONGEST) -> SafeString:
    """HTML in which each hidden character is a marked symbol; a newline is marked and then obeyed."""
    whole = str(text)
    html = format_html_join("", "{}", ((piece,) for piece in _pieces(whole[:longest])))
    rest = len(whole) - longest
    return html if rest <= 0 else format_html('{} <span class="ctl">… {} more characters</span>', html, f"{rest:,}")


def _pieces(text: str) -> Iterator[str]:
    reached = 0
    for found in _HIDDEN.finditer(text):
        yield text[reached : found.start()]
        ends = "\n" if found[0] == "\n" else ""
        yield format_html('<span class="ctl">{}</span>{}', symbol(found[0]), ends)
        reached = found.end()
    yield text[reached:]
