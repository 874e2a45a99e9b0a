"""How much of one span or log line is kept, and how texts are made fit for any database."""

from dataclasses import dataclass, field

# In characters. What is longer is cut and ends with MARK.
NAME = 250
SERVICE = 120
KEY = 200
VALUE = 4_000
MESSAGE = 4_000
BODY = 32_000
# In entries. 128 is the default limit of OpenTelemetry's SDKs for each of them.
ATTRIBUTES = 128
EVENTS = 128
ITEMS = 128

MARK = "… (cut)"


@dataclass(slots=True)
class Trimmer:
    """Makes texts fit and counts what had to be cut."""

    cut: int = field(default=0)

    def text(self, text: str, limit: int) -> str:
        """The text without NUL, which PostgreSQL cannot store, and no longer than `limit`."""
        if "\0" in text:
            text = text.replace("\0", "\ufffd")
        if len(text) <= limit:
            return text
        self.cut += 1
        return text[: limit - len(MARK)] + MARK
