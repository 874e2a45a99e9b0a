"""Feeds a Prometheus by remote write 1.0: counters of many series, a scrape at a time. A helper, not a benchmark."""

import struct
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

# Samples in one request.
_BATCH = 20_000


class Writer:
    """Writes the same series again and again; their labels are encoded once."""

    def __init__(self, url: str, series: Sequence[Mapping[str, str]]) -> None:
        self.url = url
        self._labels = [_labels(labels) for labels in series]

    def write(self, at: datetime, values: Sequence[float]) -> None:
        """One sample of every series. Raises `urllib.error.HTTPError`."""
        moment = _varint(int(at.timestamp() * 1000))
        for first in range(0, len(values), _BATCH):
            rows = zip(self._labels[first : first + _BATCH], values[first : first + _BATCH], strict=True)
            self._send(b"".join(_series(labels, value, moment) for labels, value in rows))

    def stretch(self, times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Many samples of every series at once: a row of `values` for each series, a column for each Unix second."""
        most = max(1, _BATCH // len(times))
        for first in range(0, len(values), most):
            rows = zip(self._labels[first : first + most], _samples(times, values[first : first + most]), strict=True)
            self._send(b"".join(_field(1, labels + samples.tobytes()) for labels, samples in rows))

    def _send(self, body: bytes) -> None:
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        request = urllib.request.Request(f"{self.url}/api/v1/write", _snappy(body), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()


def _labels(labels: Mapping[str, str]) -> bytes:
    """The labels of a TimeSeries (field 1), each a Label of name (1) and value (2)."""
    pairs = (_field(1, name.encode()) + _field(2, value.encode()) for name, value in sorted(labels.items()))
    return b"".join(_field(1, pair) for pair in pairs)


def _series(labels: bytes, value: float, moment: bytes) -> bytes:
    """A TimeSeries in a WriteRequest (field 1): its labels, and a Sample (2) of value (1) and milliseconds (2)."""
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + moment
    return _field(1, labels + _field(2, sample))


def _samples(times: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """As in `_series`, the samples of each row; milliseconds of our time take six bytes, so all are equally long."""
    moments = [_varint(round(at * 1000)) for at in times.tolist()]
    head = np.frombuffer(b"".join(b"\x12\x10\x09" + bytes(8) + b"\x10" + moment for moment in moments), np.uint8)
    found = np.tile(head.reshape(len(times), -1), (len(values), 1, 1))
    found[:, :, 3:11] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(*values.shape, 8)
    return found


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(found) + bytes([number])


def _snappy(body: bytes) -> bytes:
    """Snappy's format without compression: literals of 64 kB."""
    found = [_varint(len(body))]
    for first in range(0, len(body), 65536):
        literal = body[first : first + 65536]
        found += [b"\xf4", struct.pack("<H", len(literal) - 1), literal]
    return b"".join(found)
