"""The command line of every program. The launcher runs them here; docker-compose.yml runs the same in containers."""

import sys
from pathlib import PurePath


def web(bind: str, python: str = sys.executable) -> list[str]:
    """Pages and receiver. Threads, because a page waits for stores most of its time."""
    serve = ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "60", "--no-control-socket"]
    return [python, "-m", "gunicorn", "config.wsgi", "--bind", bind, *serve]


def worker(python: str = sys.executable) -> list[str]:
    return [python, "-m", "celery", "-A", "config", "worker", "--concurrency", "2", "--loglevel", "info"]


def beat(python: str = sys.executable) -> list[str]:
    """Every entry is an interval and every task may run twice, so beat needs no file to remember its last run."""
    return [
        python,
        "-m",
        "celery",
        "-A",
        "config",
        "beat",
        "--scheduler",
        "celery.beat:Scheduler",
        "--loglevel",
        "info",
    ]


def prepare(python: str = sys.executable) -> list[str]:
    """Brings every configured database up to date; ends."""
    return [python, "manage.py", "prepare"]


def seed_demo(prometheus_url: str, inbox_url: str, history: PurePath | None, python: str = sys.executable) -> list[str]:
    """Makes the demo's user, source, flows, objectives, channels and past changes; ends. The password is in the
    environment as FIRELINE_DEMO_PASSWORD."""
    told = ["--history", str(history)] if history else []
    return [python, "manage.py", "seed_demo", "--prometheus", prometheus_url, "--inbox", inbox_url, *told]


def redis(bind: str, port: int) -> list[str]:
    """Carries work and keeps nothing: the truth is in the database."""
    return ["redis-server", "--bind", bind, "--port", str(port), "--save", "", "--appendonly", "no"]


def prometheus(configuration: PurePath, data: PurePath, listen: str) -> list[str]:
    """A month of samples, so that imported history stays, and the exemplars that lead to traces."""
    return [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=30d",
        f"--web.listen-address={listen}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]


def shop(argv: tuple[str, ...], python: str = sys.executable) -> list[str]:
    """One process of the demo shop: `argv` is what demo.processes says."""
    return [python, *argv]
