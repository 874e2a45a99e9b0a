"""Writes long series as OpenMetrics text, in pieces that promtool imports in one pass each."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType

from prometheus_client.utils import floatToGoString

# Blocks grow from 2 h by threes. A file that lies within one block of 18 h is read only once by promtool.
PIECE = 18 * 3600
MAX_BLOCK = "24h"


def moments(since: datetime, until: datetime, step: int) -> range:
    """The instants of a history, as Unix seconds."""
    return range(int(since.timestamp()), int(until.timestamp()), step)


class Writer:
    """Series of samples at the same `times`, into one file per 18 h. A context manager."""

    def __init__(self, directory: Path, times: Sequence[int]) -> None:
        self.times = times
        self._stamps = [str(at) for at in times]
        bounds = [i for i, at in enumerate(times) if i == 0 or at // PIECE != times[i - 1] // PIECE]
        self._pieces = [slice(low, high) for low, high in zip(bounds, [*bounds[1:], len(times)], strict=True)]
        self.paths = [directory / f"history-{number:02}.om" for number in range(len(self._pieces))]
        self._files = [path.open("w") for path in self.paths]

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in self._files:
            file.write("# EOF\n")
            file.close()

    def series(self, name: str, labels: Mapping[str, str], values: Sequence[float | None]) -> None:
        """One series; None is no sample at that instant."""
        head = f"{name}{{{','.join(f'{key}={quote(value)}' for key, value in labels.items())}}} "
        for piece, file in zip(self._pieces, self._files, strict=True):
            stamped = zip(values[piece], self._stamps[piece], strict=True)
            file.writelines([f"{head}{value} {at}\n" for value, at in stamped if value is not None])

    def counter(
        self,
        name: str,
        labels: Mapping[str, str],
        increments: Sequence[float],
        resets: frozenset[int] = frozenset(),
        from_zero: bool = False,
    ) -> None:
        """A counter by what it gains at each instant. Like a live one it is born with its first event, or with its
        process (`from_zero`), and forgets everything when its process is replaced, at the indices in `resets`."""
        births = [1.0] * len(increments) if from_zero else increments
        self.series(name, labels, _running(increments, births, resets))

    def histogram(
        self,
        name: str,
        labels: Mapping[str, str],
        counts: Sequence[int],
        buckets: Mapping[float, Sequence[int]],
        means: Sequence[float],
        resets: frozenset[int] = frozenset(),
    ) -> None:
        """A classic histogram by what each (cumulative) bucket gains at each instant; `means` are of those gains."""
        for boundary, increments in buckets.items():
            running = _running(increments, counts, resets)
            self.series(f"{name}_bucket", {**labels, "le": floatToGoString(boundary)}, running)
        self.series(f"{name}_bucket", {**labels, "le": "+Inf"}, _running(counts, counts, resets))
        self.series(f"{name}_count", labels, _running(counts, counts, resets))
        sums = [round(count * mean, 3) for count, mean in zip(counts, means, strict=True)]
        self.series(f"{name}_sum", labels, _running(sums, counts, resets))


def _running(increments: Sequence[float], births: Sequence[float], resets: frozenset[int]) -> list[float | None]:
    """Running sums; None until the first of `births` since the start or the last reset."""
    values: list[float | None] = []
    total, born = 0.0, False
    for index, (gain, birth) in enumerate(zip(increments, births, strict=True)):
        if index in resets:
            total, born = 0.0, False
        total += gain
        born = born or birth > 0
        values.append(total if born else None)
    return values


def quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
