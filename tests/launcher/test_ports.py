"""A taken port is reported before anything starts, with the setting that changes it."""

import socket
from collections.abc import Iterator

import pytest

from launcher.errors import CannotStart
from launcher.ports import Port, check
from tests.servers import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_free_ports_pass() -> None:
    check([Port("the web pages", "FIRELINE_WEB_PORT", free_port())])


def test_a_taken_port_names_its_setting(taken: int) -> None:
    with pytest.raises(CannotStart, match=rf"{taken} .the web pages. is taken.*FIRELINE_WEB_PORT={taken + 20}"):
        check([Port("the web pages", "FIRELINE_WEB_PORT", taken)])


def test_all_taken_ports_are_named_at_once(taken: int) -> None:
    with pytest.raises(CannotStart) as caught:
        check([Port("web", "A_PORT", taken), Port("redis", "B_PORT", 70_000)])
    assert "A_PORT" in str(caught.value)
    assert "B_PORT" in str(caught.value)


def test_two_programs_cannot_have_one_port() -> None:
    port = free_port()
    with pytest.raises(CannotStart, match=f"redis and web both want port {port}. Set B_PORT"):
        check([Port("web", "A_PORT", port), Port("redis", "B_PORT", port)])


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(CannotStart, match=r"cannot listen on 203\.0\.113\.1"):
        check([Port("web", "FIRELINE_WEB_BIND", free_port(), "203.0.113.1")])
