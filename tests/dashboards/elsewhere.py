"""Runs Playwright in a thread of its own: with its event loop in theirs, tests would open database connections anew."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import Locator
from playwright.sync_api import expect as playwright_expect

PLAIN = (str, bytes, int, float, bool, type(None), list, tuple, dict)


class Elsewhere:
    """Stands for an object that lives in another thread: everything that is asked of it is done there."""

    def __init__(self, thread: ThreadPoolExecutor, target: Any) -> None:
        self._thread, self._target = thread, target

    def __getattr__(self, name: str) -> Any:
        return self._here(self._thread.submit(getattr, self._target, name).result())

    def __call__(self, *given: Any, **named: Any) -> Any:
        there = [_there(one) for one in given]
        return self._here(self._thread.submit(self._target, *there, **named).result())

    def _here(self, found: Any) -> Any:
        return found if isinstance(found, PLAIN) else Elsewhere(self._thread, found)


def _there(one: Any) -> Any:
    return one._target if isinstance(one, Elsewhere) else one


def started[T](thread: ThreadPoolExecutor, begin: Callable[[], T]) -> T:
    """What `begin` made, in that thread."""
    made: Any = Elsewhere(thread, thread.submit(begin).result())
    found: T = made
    return found


def expect(subject: Locator) -> Any:
    """Playwright's `expect`, where the page lives."""
    remote: Any = subject
    return Elsewhere(remote._thread, playwright_expect)(subject)
