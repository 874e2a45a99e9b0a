"""Starts stages of programs in order, watches them, and stops all of them, whatever happens."""

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from launcher import logs
from launcher.child import Child
from launcher.errors import CannotStart

# A program that keeps failing is not going to work the next time: everything stops, and its log says why.
RESTARTS = 3
STEADY_SECONDS = 60
GRACE_SECONDS = 10
_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Service:
    """A program that runs until it is stopped. The next stage begins when `ready` says so."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[Child], bool]
    seconds: float = 60
    # Stores are stopped after the programs that use them.
    store: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A program that does one thing and ends. `then` is called after it succeeded."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    seconds: float = 300
    output: Path | None = None
    then: Callable[[], None] = field(default=lambda: None)


type Program = Service | Job


class Stopped(Exception):
    """Somebody asked for the end: Ctrl-C, SIGTERM or a closed terminal."""


def say(text: str) -> None:
    # The terminal may be gone already; going on matters more than saying so.
    with suppress(OSError):
        print(text, flush=True)


class Supervisor:
    """Owns the children. `run` returns the exit code; nothing that it started outlives it."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.signals = 0
        self._children: dict[str, tuple[Service, Child]] = {}
        self._jobs: list[Child] = []
        self._restarts: dict[str, int] = {}

    def run(self, stages: Sequence[Sequence[Program]], announce: Callable[[], None]) -> int:
        """Raises `CannotStart` when a program does not become ready or keeps ending; all are stopped by then."""
        logs.rotate(self.logs)
        before = self._listen()
        try:
            for stage in stages:
                self._start(stage)
            announce()
            while True:
                self._pause()
                self._revive()
                logs.bound(self.logs)
        except Stopped:
            return 0
        finally:
            say("\nStopping …")
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _listen(self) -> dict[signal.Signals, signal.Handlers | Callable[[int, FrameType | None], object] | int | None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for number, handler in before.items():
            # `nohup make demo` means to outlive its terminal.
            if number is not signal.SIGHUP or handler is not signal.SIG_IGN:
                signal.signal(number, self._asked_to_stop)
        return before

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        # Only counted here and acted upon between steps, so that no child is started without being known.
        self.signals += 1

    def _pause(self) -> None:
        if self.signals:
            raise Stopped
        time.sleep(_PAUSE)

    # -- Starting ---------------------------------------------------------------------------------------------

    def _start(self, stage: Sequence[Program]) -> None:
        """Start all programs of a stage side by side, and wait until each is ready or done."""
        waiting = [(program, self._launch(program)) for program in stage]
        while waiting:
            waiting = [(program, child) for program, child in waiting if not self._settled(program, child)]
            self._pause()

    def _launch(self, program: Program) -> Child:
        log = self.logs / f"{program.name}.log"
        output = program.output if isinstance(program, Job) else None
        child = Child(program.name, program.command, program.environment, log, output)
        if isinstance(program, Service):
            self._children[program.name] = (program, child)
        else:
            self._jobs.append(child)
        return child

    def _settled(self, program: Program, child: Child) -> bool:
        if isinstance(program, Job) and child.code == 0:
            program.then()
            say(f"  {program.name}: done in {child.age:.0f} s")
            return True
        if child.code is not None:
            raise CannotStart(f"{program.name} ended with code {child.code}. Its last words:\n{_words(child)}")
        if isinstance(program, Service) and program.ready(child):
            say(f"  {program.name}: ready")
            return True
        if child.age > program.seconds:
            raise CannotStart(f"{program.name} was not ready after {program.seconds:.0f} s:\n{_words(child)}")
        return False

    # -- Watching ---------------------------------------------------------------------------------------------

    def _revive(self) -> None:
        for service, child in list(self._children.values()):
            if child.code is not None:
                self._restart(service, child)

    def _restart(self, service: Service, child: Child) -> None:
        tries = 1 if child.age > STEADY_SECONDS else self._restarts.get(service.name, 0) + 1
        if tries > RESTARTS:
            raise CannotStart(f"{service.name} ended {tries} times in a row. Its last words:\n{_words(child)}")
        self._restarts[service.name] = tries
        say(f"  {service.name} ended with code {child.code} and is started again; its log: {child.log}")
        # What it had started itself would hold its port.
        child.kill()
        self._launch(service)

    # -- Stopping ---------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        children = list(self._children.values())
        self._stop([*self._jobs, *(child for service, child in children if not service.store)])
        self._stop([child for service, child in children if service.store])

    def _stop(self, children: Sequence[Child]) -> None:
        """TERM, then KILL for what is still there after the grace period or when asked a second time."""
        asked = self.signals
        deadline = time.monotonic() + GRACE_SECONDS
        for child in children:
            child.terminate()
        while not all(child.gone() for child in children):
            if time.monotonic() > deadline or self.signals > max(asked, 1):
                for child in children:
                    child.kill()
            if time.monotonic() > deadline + GRACE_SECONDS:
                # Nothing survives KILL but what the kernel or a careless init has yet to clear away.
                return
            time.sleep(_PAUSE)


def _words(child: Child) -> str:
    return f"{child.last_lines()}\n(all of it: {child.log})"
