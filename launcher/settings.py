"""Where the launcher puts things, read from the environment. docs/settings.md explains each setting."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import CannotStart

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Settings:
    """Ports and directories. `home` holds everything that a stack writes."""

    home: Path
    web_bind: str
    web_port: int
    redis_port: int
    prometheus_port: int
    shop_port: int
    demo_days: int

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def web_url(self) -> str:
        return f"http://{_reachable(self.web_bind)}:{self.web_port}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def prometheus_url(self) -> str:
        return f"http://127.0.0.1:{self.prometheus_port}"


def read(stack: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `stack`: `demo` lives in a directory of its own, so that resetting it cannot touch real data."""
    var = Path(environ.get("FIRELINE_VAR") or ROOT / "var").absolute()
    return Settings(
        home=var / "demo" if stack == "demo" else var,
        web_bind=environ.get("FIRELINE_WEB_BIND") or "127.0.0.1",
        web_port=_port(environ, "FIRELINE_WEB_PORT", 8000),
        redis_port=_port(environ, "FIRELINE_REDIS_PORT", 6790),
        prometheus_port=_port(environ, "FIRELINE_PROMETHEUS_PORT", 9790),
        shop_port=_port(environ, "FIRELINE_SHOP_PORT", 7100),
        demo_days=_whole(environ, "FIRELINE_DEMO_DAYS", 7, 1, 25),
    )


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    return _whole(environ, name, default, 1, 65_535)


def _whole(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    raw = environ.get(name, "").strip() or str(default)
    if not raw.isdecimal() or not least <= int(raw) <= most:
        raise CannotStart(f"{name} is {raw!r}, but must be a whole number from {least} to {most}.")
    return int(raw)


def _reachable(bind: str) -> str:
    return "127.0.0.1" if bind in {"0.0.0.0", "::", ""} else bind  # noqa: S104 (it is compared, not bound)
