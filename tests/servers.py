"""Real servers for tests: each on a free port, with its data in a directory of its own, gone without a trace after."""

import glob
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

# A container's root may not run PostgreSQL; its package brings this account.
POSTGRES_ACCOUNT = "postgres"


# Below what systems hand out to outgoing connections: one of those may take a port between its choice and its use.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> range:
    """So many free ports in a row, chosen at random because other tests choose too. Raises `RuntimeError`."""
    for _ in range(100):
        first = random.choice(PORTS[:-count])
        if all_free(range(first, first + count)):
            return range(first, first + count)
    raise RuntimeError(f"Found no {count} free ports in a row.")


def all_free(ports: range) -> bool:
    with ExitStack() as probes:
        for port in ports:
            probe = probes.enter_context(socket.socket())
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def wait_until(condition: Callable[[], object], seconds: float = 10, what: str = "the condition") -> None:
    """Ask `condition` until its answer is true. Raises `TimeoutError` that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds} s for {what}.")
        time.sleep(0.05)


class Server:
    """One server process. `stop` and `start` keep port and data, so that a test can take it away and bring it back."""

    name = "server"

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def account(self) -> str | None:
        return None

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.directory / f"{self.name}.log").read_text(errors="replace")

    def start(self, seconds: float = 30) -> None:
        """Start and wait for the first answer. Raises `RuntimeError` with the server's own words when it dies."""
        with (self.directory / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                user=self.account(),
                start_new_session=True,
            )
        wait_until(self._settled, seconds, f"{self.name} on port {self.port}")

    def _settled(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with code {self.process.returncode}:\n{self.log[-2000:]}")
        return self.answers()

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        """Send `with_signal` (`SIGKILL` for a crash) and wait for the end; does nothing when it is not running."""
        if self.process is None:
            return
        self.process.send_signal(with_signal)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class PrometheusServer(Server):
    """Prometheus with exemplars, the remote-write receiver and the admin API on, and retention for any history."""

    name = "prometheus"

    def __init__(
        self,
        directory: Path,
        scrape_configs: Sequence[Mapping[str, Any]] = (),
        openmetrics: str = "",
        flags: Sequence[str] = (),
    ) -> None:
        super().__init__(directory)
        self.flags = list(flags)
        configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": list(scrape_configs)}
        (directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        if openmetrics:
            self._import(openmetrics)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _import(self, openmetrics: str) -> None:
        text = self.directory / "history.om"
        text.write_text(openmetrics if openmetrics.endswith("# EOF\n") else f"{openmetrics.rstrip()}\n# EOF\n")
        command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=24h", "--quiet"]
        done = subprocess.run([*command, text, self.directory / "data"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"promtool refused the history: {done.stderr}{done.stdout}")

    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver",
            "--web.enable-admin-api",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
            *self.flags,
        ]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False


class RedisServer(Server):
    """Redis that keeps nothing."""

    name = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class PostgresServer(Server):
    """PostgreSQL that forgets on a power cut, which makes it quick."""

    name = "postgres"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        if account := self.account():
            shutil.chown(directory, account)
        # Relative names, because the account may not be allowed to read the way to the directory.
        self._run("initdb", "--pgdata=data", "--username=fireline", "--auth=trust", "--encoding=UTF8", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgres://fireline@127.0.0.1:{self.port}/postgres"

    def account(self) -> str | None:
        return POSTGRES_ACCOUNT if os.geteuid() == 0 else None

    def command(self) -> list[str]:
        quick = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60")
        return [
            _postgres_program("postgres"),
            *("-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.directory)),
            *(word for setting in quick for word in ("-c", setting)),
        ]

    def answers(self) -> bool:
        done = self._run("pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}", check=False)
        return done.returncode == 0

    def stop(self, with_signal: int = signal.SIGINT) -> None:
        # SIGTERM would wait for connected clients; SIGINT is PostgreSQL's fast shutdown.
        super().stop(with_signal)

    def _run(self, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        command = [_postgres_program(program), *arguments]
        return subprocess.run(command, cwd=self.directory, user=self.account(), check=check, capture_output=True)


def _postgres_program(name: str) -> str:
    """Debian keeps PostgreSQL's own programs outside the PATH, one directory a version."""
    if found := shutil.which(name):
        return found
    versions = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    if not versions:
        raise RuntimeError(f"{name} is not installed. `make setup` with TESTS=1 installs it.")
    return versions[-1]


@contextmanager
def _directory(name: str) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=f"fireline-{name}-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _running[S: Server](server: S) -> Iterator[S]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def prometheus_server(
    scrape_configs: Sequence[Mapping[str, Any]] = (), openmetrics: str = "", flags: Sequence[str] = ()
) -> Iterator[PrometheusServer]:
    """A Prometheus that scrapes `scrape_configs` and already knows the samples of an `openmetrics` text."""
    with (
        _directory("prometheus") as directory,
        _running(PrometheusServer(directory, scrape_configs, openmetrics, flags)) as server,
    ):
        yield server


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    with _directory("redis") as directory, _running(RedisServer(directory)) as server:
        yield server


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    with _directory("postgres") as directory, _running(PostgresServer(directory)) as server:
        yield server
