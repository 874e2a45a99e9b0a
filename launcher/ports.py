"""Finds out before anything starts whether every port is free."""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from launcher.errors import CannotStart


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a program is going to listen on, and the setting that moves it."""

    what: str
    setting: str
    number: int
    host: str = "127.0.0.1"


def check(ports: Sequence[Port]) -> None:
    """Raises `CannotStart` naming every port that cannot be used, with the settings that change them."""
    problems = [problem for port in ports if (problem := _problem(port, ports))]
    if problems:
        raise CannotStart("\n".join(problems))


def _problem(port: Port, ports: Sequence[Port]) -> str | None:
    for other in ports[: ports.index(port)]:
        if other.number == port.number:
            return f"{port.what} and {other.what} both want port {port.number}. Set {port.setting} to another one."
    return _unusable(port)


def _unusable(port: Port) -> str | None:
    if port.number > 65_535:
        return f"{port.what} would need port {port.number}, which does not exist. Set {port.setting} lower."
    with socket.socket() as probe:
        # Servers set it too: a port that only waits out old connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.number))
        except OSError as error:
            return _sentence(port, error)
    return None


def _sentence(port: Port, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        why = f"Port {port.number} ({port.what}) is taken by another program."
        return f"{why} Stop that program, or choose another port, for example {port.setting}={port.number + 20}."
    why = f"{port.what} cannot listen on {port.host}:{port.number} ({error.strerror})."
    return f"{why} Choose another port with {port.setting}."
