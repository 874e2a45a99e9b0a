"""The launcher's settings: defaults, and a sentence for what cannot be."""

from pathlib import Path

import pytest

from launcher import settings
from launcher.errors import CannotStart


def test_the_demo_lives_in_a_directory_of_its_own(tmp_path: Path) -> None:
    environ = {"FIRELINE_VAR": str(tmp_path)}
    assert settings.read("demo", environ).home == tmp_path / "demo"
    assert settings.read("run", environ).home == tmp_path


def test_an_empty_setting_means_its_default() -> None:
    assert settings.read("run", {"FIRELINE_WEB_PORT": ""}).web_port == 8000


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1", "8000.5"])
def test_a_port_that_is_none_is_refused_by_name(port: str) -> None:
    with pytest.raises(CannotStart, match="FIRELINE_WEB_PORT is"):
        settings.read("run", {"FIRELINE_WEB_PORT": port})


def test_pages_bound_to_every_address_are_reached_over_the_loopback() -> None:
    assert settings.read("run", {"FIRELINE_WEB_BIND": "0.0.0.0"}).web_url == "http://127.0.0.1:8000"
