"""Asks the JSON APIs of trace and log stores: bounded in questions, bytes and time, and every fault as a sentence."""

import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, Self

import orjson
import requests

from connectors import egress
from connectors.answers import Peer, another_kind, body_of, clean, foreign, no_entry, redirected
from connectors.errors import NotAStore, Refused, StoreError, TimedOut, TooMuch, Unreachable

MIB = 1024 * 1024
# How the stores say, each in its own words, that a question is too big …
TOO_MUCH = (
    "max entries limit",
    "exceeds the limit",
    "limit exceeded",
    "exceeds max",
    "exceeded max",
    "maximum of series",
    "maximum number of series",
    "too many",
    "too_many",
    "too large",
    "circuit_breaking",
    "memory limit",
    "would read",
    "out of memory",
)
# … and that they gave up on it.
GAVE_UP = ("deadline exceeded", "timed out", "timeout exceeded", "context canceled", "time limit")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that is asked of one store for one purpose, e.g. one look at an incident: all questions together."""

    traces: int = 500
    lines: int = 20_000
    size: int = 64 * MIB
    time: timedelta = timedelta(seconds=30)
    questions: int = 100


@dataclass(frozen=True, slots=True)
class Access:
    """Where a store is, and how to get in. `timeout` is for one question."""

    url: str
    allowed: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[str, str] | None = None
    token: str = ""
    timeout: timedelta = timedelta(seconds=10)
    verify: bool = True
    bounds: Bounds = field(default_factory=Bounds)
    # Told how each question ended: with the fault, or with `None` when there was none.
    told: Callable[[StoreError | None], None] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: a success, or a 404 where the question allowed for it."""

    status: int
    body: bytes
    peer: Peer

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises `NotAStore` for anything but JSON, `Unreachable` when it is cut off."""
        try:
            return orjson.loads(self.body)
        except ValueError:
            start = self.body.lstrip()[:1]
            raise self.peer.broke_off() if start in (b"{", b"[") else self._not_json(start) from None

    def _not_json(self, start: bytes) -> NotAStore:
        nature = "an empty page" if not start else "a web page" if start == b"<" else "something else"
        product = self.peer.product
        return NotAStore(
            f"{self.peer.host} is not {product}: it answered with {nature}. Check the address, its path and its port."
        )


class Api:
    """One store's API. Keeps its connections open between questions, and counts what they cost."""

    def __init__(self, product: str, access: Access) -> None:
        self.url = access.url.rstrip("/")
        self.peer = Peer.at(self.url, access.timeout, product=product, smaller="Choose a shorter time.")
        self.bounds = access.bounds
        self._session = egress.Session(access.allowed, access.verify)
        self._auth = (access.auth[0].encode(), access.auth[1].encode()) if access.auth else None
        self._headers = {name: value.strip() for name, value in access.headers.items()}
        if access.token:
            self._headers["Authorization"] = f"Bearer {access.token.strip()}"
        self._asked, self._read, self._waited = 0, 0, 0.0
        # For those who ask once and forget it.
        weakref.finalize(self, self._session.close)

    def close(self) -> None:
        self._session.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        return self.ask("GET", path, params=params, **options)

    def post(self, path: str, **options: Any) -> Answer:
        return self.ask("POST", path, **options)

    def ask(
        self,
        method: str,
        path: str,
        *,
        may_miss: bool = False,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Answer:
        """The answer to one question. Raises `StoreError` unless it is a success, or 404 and it `may_miss`."""
        left = self._time_left()
        began = time.monotonic()
        try:
            with send(
                self._session.request,
                self.peer,
                method,
                f"{self.url}{path}",
                headers=self._headers | dict(headers or {}),
                auth=self._auth,
                timeout=min(self.peer.timeout.total_seconds(), left),
                **options,
            ) as response:
                body = body_of(response, self.peer, max(self.bounds.size - self._read, 1))
                return self._judged(response, body, may_miss)
        finally:
            self._waited += time.monotonic() - began

    def _time_left(self) -> float:
        """Seconds that may still be waited. Raises `TooMuch` when the store has been asked enough."""
        self._asked += 1
        left = self.bounds.time.total_seconds() - self._waited
        if self._asked > self.bounds.questions or self._read >= self.bounds.size or left <= 0:
            spent = f"{self._waited:.1f}\N{NO-BREAK SPACE}s and {self._read / MIB:.1f}\N{NO-BREAK SPACE}MiB"
            raise TooMuch(
                f"Fireline stops asking {self.peer.host}, to spare it. Questions so far: {self._asked - 1}, which took "
                f"{spent}. The settings say how much it may ask."
            )
        return left

    def _judged(self, response: requests.Response, body: bytes, may_miss: bool) -> Answer:
        self._read += len(body)
        if response.is_redirect:
            raise redirected(response, self.peer)
        if response.ok or (may_miss and response.status_code == 404):
            return Answer(response.status_code, body, self.peer)
        raise _refusal(response, body, self.peer)


class Store:
    """What the connectors of trace and log stores have in common. `close` it or use it with `with`."""

    product = ""

    def __init__(self, access: Access) -> None:
        self.api = Api(self.product, access)
        self.told = access.told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.api.close()

    @property
    def bounds(self) -> Bounds:
        return self.api.bounds

    def probe(self) -> str:
        """Asks the least that proves that it answers; its version, empty when it does not say."""
        raise NotImplementedError


def understood[S: Store, **P, R](method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Turns an answer of an unknown form into a sentence, and tells how the question ended."""

    @wraps(method)
    def ask(self: S, /, *args: P.args, **options: P.kwargs) -> R:
        fault: StoreError | None = None
        try:
            return method(self, *args, **options)
        except StoreError as error:
            fault = error
            raise
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
            fault = another_kind(self.api.peer)
            raise fault from None
        finally:
            if self.told:
                self.told(fault)

    return ask


def send(
    request: Callable[..., requests.Response], peer: Peer, method: Any, url: Any, *args: Any, **options: Any
) -> requests.Response:
    """Sends a question, once more when a connection broke. Its body is still to be read. Raises `StoreError`."""
    options |= {"stream": True, "allow_redirects": False}
    try:
        try:
            return request(method, url, *args, **options)
        except requests.ConnectTimeout:
            raise
        except requests.ConnectionError:
            # Once more, at once: a kept connection may have been closed meanwhile. Questions change nothing.
            return request(method, url, *args, **options)
    except requests.Timeout:
        raise peer.timed_out() from None
    except requests.ConnectionError as error:
        raise peer.unreachable(error) from None
    except (requests.RequestException, ValueError) as error:
        raise NotAStore(
            f"{peer.host} cannot be asked ({type(error).__name__}). Check the source's address and headers."
        ) from None


def _refusal(response: requests.Response, body: bytes, peer: Peer) -> StoreError:
    """The error for an answer that is no success."""
    status, said = response.status_code, _said(response, body)
    if status in (401, 403):
        return no_entry(status, peer)
    if not said or status == 404:
        return foreign(response, body, peer)
    words = said.lower()
    if any(sign in words for sign in GAVE_UP):
        return TimedOut(f"{peer.host} gave up on the question: {said}. {peer.smaller}")
    if status == 413 or (status != 429 and any(sign in words for sign in TOO_MUCH)):
        return TooMuch(f"That is too much for {peer.host}: {said}. {peer.smaller}")
    if status == 429:
        return Unreachable(f"{peer.host} asks to come back later: {said}.")
    if status >= 500:
        return Unreachable(f"{peer.host} has a fault of its own: {said}.")
    return Refused(f"{peer.host} refused the question: {said}.")


def _said(response: requests.Response, body: bytes) -> str:
    """What the store itself says went wrong; empty when a proxy answered, or nothing was said."""
    try:
        return _reason(orjson.loads(body))
    except ValueError:
        text = body.decode("utf-8", "replace").strip()
        web = "html" in response.headers.get("Content-Type", "") or text.startswith("<")
        return "" if web or not text else clean(text)


def _reason(answer: Any) -> str:
    """The message, wherever the store puts it: Jaeger in `errors`, Elasticsearch in `error.reason`, others flat."""
    if isinstance(answer, str):
        return clean(answer)
    if isinstance(answer, list):
        return _reason(answer[0]) if answer else ""
    if not isinstance(answer, dict):
        return ""
    if isinstance(answer.get("root_cause"), list) and answer.get("type") == "search_phase_execution_exception":
        return _reason(answer["root_cause"]) or clean(answer.get("reason"))
    for name in ("error", "errors", "reason", "message", "msg"):
        if answer.get(name):
            reason = _reason(answer[name])
            return f"{answer['type']}: {reason}" if name == "reason" and answer.get("type") else reason
    return ""


def refused(peer: Peer, said: object) -> Refused:
    return Refused(f"{peer.host} refused the question: {clean(said)}.")
