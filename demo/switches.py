"""Follows the fault switches of the control process from inside a service."""

import threading
import time
from collections.abc import Callable
from http.client import HTTPException

from demo import faults

RETRY = 0.5


class Switches:
    """The faults as this process knows them; a change arrives at once, by a request that waits for it.

    While the control process cannot be reached, the last known positions hold.
    """

    def __init__(self) -> None:
        self._on: dict[str, threading.Event] = {name: threading.Event() for name in faults.NAMES}
        self._listeners: list[Callable[[], None]] = []
        self._seen = ""

    def is_on(self, name: str) -> bool:
        return self._on[name].is_set()

    def wait_for(self, name: str) -> None:
        """Block until the fault is on."""
        self._on[name].wait()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` in the following thread after each change."""
        self._listeners.append(listener)

    def follow(self) -> None:
        threading.Thread(target=self._follow, name="switches", daemon=True).start()

    def _follow(self) -> None:
        while True:
            try:
                _, answer = faults.ask("GET", f"/faults.json?seen={self._seen}")
            except (OSError, ValueError, HTTPException):
                time.sleep(RETRY)
                continue
            if answer["version"] != self._seen:
                self._take(set(answer["on"]))
                self._seen = answer["version"]

    def _take(self, on: set[str]) -> None:
        for name, event in self._on.items():
            if name in on:
                event.set()
            else:
                event.clear()
        for listener in self._listeners:
            listener()


switches = Switches()
