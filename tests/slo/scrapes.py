"""Scripted scrapes of counters with known truth, and two ways to put them into a real Prometheus.

`openmetrics` is what promtool imports: series end without a word. `remote_write` is what Prometheus itself stores when
it scrapes: a series that is gone, or whose target is down, gets a stale marker.
"""

import struct
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

type Labels = tuple[tuple[str, str], ...]

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def labels(**pairs: str) -> Labels:
    return tuple(sorted(pairs.items()))


@dataclass
class Target:
    """One process and what each scrape of it saw: counters by their labels, or `None` when it was down."""

    instance: str
    every: timedelta = timedelta(seconds=15)
    first: datetime = START
    scrapes: list[Mapping[Labels, float] | None] = field(default_factory=list)

    def sees(self, *scrapes: Mapping[Labels, float] | None) -> "Target":
        self.scrapes.extend(scrapes)
        return self

    def idle(self, count: int) -> "Target":
        """Scraped `count` more times without a change."""
        return self.sees(*[self.scrapes[-1]] * count)

    def down(self, count: int) -> "Target":
        return self.sees(*[None] * count)

    def timed(self) -> Iterator[tuple[datetime, Mapping[Labels, float] | None]]:
        return ((self.first + n * self.every, seen) for n, seen in enumerate(self.scrapes))


type Sample = tuple[str, Labels, float, float]  # metric, labels, value, seconds


def samples(metric: str, targets: Sequence[Target], stale: bool) -> list[Sample]:
    found: list[Sample] = []
    for target in targets:
        own = labels(instance=target.instance, job="shop")
        present: set[Labels] = set()
        for at, seen in target.timed():
            found.append(("up", own, 0.0 if seen is None else 1.0, at.timestamp()))
            now = seen or {}
            if stale:
                found += [(metric, tuple(sorted(own + gone)), STALE, at.timestamp()) for gone in present - set(now)]
            found += [(metric, tuple(sorted(own + one)), value, at.timestamp()) for one, value in now.items()]
            present = set(now)
    return found


def openmetrics(found: Sequence[Sample]) -> str:
    lines: list[str] = []
    for metric in sorted({sample[0] for sample in found}):
        family = metric.removesuffix("_total")
        lines.append(f"# TYPE {family} {'gauge' if metric == 'up' else 'counter'}")
        for _, own, value, seconds in sorted((s for s in found if s[0] == metric), key=lambda s: (s[1], s[3])):
            pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in own)
            lines.append(f"{metric}{{{pairs}}} {value:.17g} {seconds:.3f}")
    return "\n".join([*lines, "# EOF", ""])


def remote_write(url: str, found: Sequence[Sample]) -> None:
    """Send in the order of time, as a scraper would."""
    by_series: dict[tuple[str, Labels], list[tuple[float, float]]] = {}
    for metric, own, value, seconds in sorted(found, key=lambda sample: sample[3]):
        by_series.setdefault((metric, own), []).append((value, seconds))
    remote_write_bodies(url, [_series(*key, points) for key, points in by_series.items()])


def remote_write_bodies(url: str, series: Sequence[bytes]) -> None:
    """Send series that are encoded already."""
    request = urllib.request.Request(
        f"{url}/api/v1/write",
        data=_snappy(b"".join(_message(1, one) for one in series)),
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
    )
    urllib.request.urlopen(request).close()


def native_histogram(metric: str, at: datetime, buckets: Sequence[int], first: int, own: Labels = ()) -> bytes:
    """A series with one native histogram of schema 0: bucket n ends at 2ⁿ. `buckets` follow each other from `first`."""
    deltas = [count - before for before, count in zip((0, *buckets), buckets, strict=False)]
    span = b"\x08" + _varint(_zigzag(first)) + b"\x10" + _varint(len(buckets))
    histogram = b"".join(
        (
            b"\x08" + _varint(sum(buckets)),
            b"\x19" + struct.pack("<d", 0.0),
            b"\x20" + _varint(_zigzag(0)),
            b"\x29" + struct.pack("<d", 1e-9),
            b"\x30" + _varint(0),
            _message(11, span),
            _message(12, b"".join(_varint(_zigzag(delta)) for delta in deltas)),
            b"\x78" + _varint(round(at.timestamp() * 1000)),
        )
    )
    return _names(metric, own) + _message(4, histogram)


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _series(metric: str, own: Labels, points: Sequence[tuple[float, float]]) -> bytes:
    values = b"".join(
        _message(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(seconds * 1000)))
        for value, seconds in points
    )
    return _names(metric, own) + values


def _names(metric: str, own: Labels) -> bytes:
    named = sorted((("__name__", metric), *own))
    return b"".join(_message(1, _message(1, name.encode()) + _message(2, text.encode())) for name, text in named)


def _message(number: int, body: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _snappy(body: bytes) -> bytes:
    """The block format with literals only: valid, though it compresses nothing."""
    pieces = [body[n : n + 65536] for n in range(0, len(body), 65536)]
    return _varint(len(body)) + b"".join(b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)
