"""Reads what a store's API answers: bounded in size and time, and every fault as a sentence."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from connectors.errors import NotAStore, Refused, StoreError, TimedOut, TooMuch, Unreachable

# More than most questions of Fireline's need; an endless answer must not fill the memory.
LARGEST = 32 * 1024 * 1024
_CHUNK = 64 * 1024
_LONGEST_MESSAGE = 400
# Prometheus, Thanos, Mimir and VictoriaMetrics each say in their own words that a question is too big.
_SHORT = (
    "too many samples",
    "exceeded maximum resolution",
    "exceeded the maximum number of",
    "too many points",
    "max-samples",
    "limit exceeded",
    "exceeds the limit",
    "cannot select more than",
    "matching timeseries exceeds",
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is asked: the host as people know it, without credentials, and how long an answer may take."""

    host: str
    timeout: timedelta
    # What it should be, and what makes a question smaller that it finds too big.
    product: str = "Prometheus"
    smaller: str = "Choose fewer series or a shorter time."

    @classmethod
    def at(cls, url: str, timeout: timedelta, **more: str) -> "Peer":
        return cls(urlsplit(url).netloc.rpartition("@")[2] or url, timeout, **more)

    @property
    def patience(self) -> str:
        return f"{self.timeout.total_seconds():g}\N{NO-BREAK SPACE}s"

    def timed_out(self) -> TimedOut:
        return TimedOut(
            f"{self.host} did not answer within {self.patience}. "
            "It may be overloaded, or the question too big; a longer time limit can be set on the source."
        )

    def unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self.host} cannot be reached: {_cause(error)}. Is it running, and is the address right?")

    def broke_off(self) -> Unreachable:
        return Unreachable(f"The answer of {self.host} broke off. It may have been restarted; ask again.")


def body_of(response: requests.Response, peer: Peer, largest: int | None = None) -> bytes:
    """The whole body, unpacked.

    Raises `TooMuch` past `largest` bytes (by default `LARGEST`), `TimedOut` when it only trickles in.
    """
    largest = largest or LARGEST
    deadline = time.monotonic() + peer.timeout.total_seconds()
    parts, size = list[bytes](), 0
    while part := _next(response, peer):
        parts.append(part)
        size += len(part)
        if size > largest:
            raise TooMuch(
                f"The answer of {peer.host} is larger than {largest // 1024**2}\N{NO-BREAK SPACE}MiB. {peer.smaller}"
            )
        if time.monotonic() > deadline:
            raise peer.timed_out()
    return b"".join(parts)


def _next(response: requests.Response, peer: Peer) -> bytes:
    try:
        part: bytes = response.raw.read1(_CHUNK, decode_content=True)
    except ReadTimeoutError:
        raise peer.timed_out() from None
    except DecodeError:
        raise NotAStore(f"{peer.host} answered something that cannot be unpacked. Is it {peer.product}?") from None
    except (HTTPError, OSError):
        raise peer.broke_off() from None
    return part


def judge(response: requests.Response, body: bytes, peer: Peer) -> Mapping[str, Any]:
    """The answer's JSON object, when it is a success. Raises `StoreError` otherwise."""
    if response.is_redirect:
        raise redirected(response, peer)
    answer = _object(body)
    if answer is None or answer.get("status") not in ("success", "error"):
        raise foreign(response, body, peer)
    if answer["status"] == "success" and response.ok:
        return answer
    raise _refusal(response.status_code, str(answer.get("errorType", "")), clean(answer.get("error")), peer)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = orjson.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def redirected(response: requests.Response, peer: Peer) -> NotAStore:
    target = urlsplit(response.headers.get("Location", ""))
    place = f"{target.scheme}://{target.netloc.rpartition('@')[2]}" if target.netloc else "another page"
    return NotAStore(
        f"{peer.host} sends questions on to {place}. If that is a sign-in page, give the source its credentials; "
        "otherwise enter the address that answers itself."
    )


def _refusal(status: int, kind: str, said: str, peer: Peer) -> StoreError:
    """What Prometheus itself said went wrong; `kind` is its `errorType`."""
    if status == 429:
        return Unreachable(f"{peer.host} asks to come back later: {said}.")
    if any(words in said.lower() for words in _SHORT):
        return TooMuch(f"That is too much for {peer.host}: {said}. {peer.smaller}")
    if kind in ("timeout", "canceled"):
        return TimedOut(f"{peer.host} gave up on the question: {said}.")
    if status in (401, 403):
        return no_entry(status, peer)
    if status >= 500 and kind != "execution":
        return Unreachable(f"{peer.host} has a fault of its own: {said}.")
    return Refused(f"{peer.host} refused the question: {said}.")


def foreign(response: requests.Response, body: bytes, peer: Peer) -> StoreError:
    """The error for an answer that the store's own API did not give."""
    status = response.status_code
    answered = f"{peer.host} answered {status} {response.reason or ''}".rstrip()
    if status in (401, 403):
        return no_entry(status, peer)
    if status == 404:
        return NotAStore(f"{answered}: there is no {peer.product} API at this address. Check its path and port.")
    if status == 413:
        return TooMuch(f"{answered}: the question is too long for it or a proxy before it.")
    if status in (408, 504):
        return TimedOut(f"{answered}: it, or a proxy before it, gave up waiting.")
    if status == 429 or status >= 500:
        return Unreachable(f"{answered}. It, or a proxy before it, is overloaded or broken.")
    if status >= 400:
        return Refused(f"{answered}. Check the source's address and credentials.")
    if body.lstrip()[:1] == b"{" and "json" in response.headers.get("Content-Type", ""):
        return peer.broke_off() if _object(body) is None else another_kind(peer)
    return not_the_product(peer, _nature(response, body))


def no_entry(status: int, peer: Peer) -> Refused:
    return Refused(f"{peer.host} does not let Fireline in ({status}). Check the source's credentials and headers.")


def _nature(response: requests.Response, body: bytes) -> str:
    if not body.strip():
        return "an empty page"
    html = "html" in response.headers.get("Content-Type", "") or body.lstrip()[:1] == b"<"
    return "a web page" if html else "something else"


def another_kind(peer: Peer) -> NotAStore:
    return not_the_product(peer, "JSON of another kind")


def not_the_product(peer: Peer, nature: str) -> NotAStore:
    return NotAStore(
        f"{peer.host} is not {peer.product}: it answered with {nature}. Check the address, its path and its port."
    )


def clean(message: object) -> str:
    """The store's own words, printable and on one line, without the full stop."""
    text = " ".join("".join(c if c.isprintable() else " " for c in str(message or "it does not say why")).split())
    return (text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…").rstrip(".")


def _cause(error: BaseException | None) -> str:
    """The innermost cause of a connection error, in words."""
    chain = str(error)
    known = {
        "Name or service not known": "the host name is unknown",
        "name resolution": "the host name cannot be resolved",
        "No address associated": "the host name is unknown",
        "Connection refused": "nothing listens there",
        "No route to host": "there is no way to that host",
        "Network is unreachable": "there is no way to that network",
        "CERTIFICATE_VERIFY_FAILED": "its TLS certificate could not be verified",
        "WRONG_VERSION_NUMBER": "it does not speak TLS; try http://",
        "RECORD_LAYER_FAILURE": "it does not speak TLS; try http://",
        "SSL": "the TLS connection failed",
    }
    return next((words for sign, words in known.items() if sign in chain), "the connection broke")
