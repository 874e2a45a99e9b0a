"""Reads an answer the way a person or a browser does: its text, its links, what would break a strict CSP."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from django.http import HttpResponseBase

# Elements that do not begin a new word.
INLINE = {"b", "a", "span", "code", "time", "i", "em", "strong", "small", "svg", "use"}


class Page(HTMLParser):
    """One parsed answer. `text` is what a person reads; NBSPs are kept, they are part of the number."""

    def __init__(self, response: HttpResponseBase) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._words: list[str] = []
        self._inside: list[str] = []
        self.inline: list[str] = []
        self.feed(response.content.decode())  # type: ignore[attr-defined]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in INLINE:
            self._words.append(" ")
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.inline.append(data.strip())
        else:
            self._words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"[ \n\t]+", " ", "".join(self._words))

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a" and "href" in attributes]

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def offences(self) -> Iterator[str]:
        """What a policy of `script-src 'self'; style-src 'self'` would refuse."""
        yield from (f"inline code: {code[:40]}" for code in self.inline if code)
        for tag, attributes in self.tags:
            yield from (f"<{tag} {name}>" for name in attributes if name == "style" or name.startswith("on"))
            yield from (f"<{tag} {name}> runs code" for name in attributes if name.startswith(("hx-on", "hx-vars")))
            address = attributes.get("src", "") or (attributes.get("href", "") if tag == "link" else "")
            if address and not address.startswith("/"):
                yield f"<{tag}> loads {address}"
            if attributes.get("href", "").lower().startswith("javascript:"):
                yield f"<{tag}> runs its address"
