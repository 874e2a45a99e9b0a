"""Which addresses may be called."""

import socket
from typing import Any

import pytest
import requests

from connectors import egress
from connectors.errors import ForbiddenAddress
from tests.connectors.impostor import Reply, impostor


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Every look-up gets the next of `answers`, as from a name server that changes its mind."""
    left = list(answers)

    def answer(host: str, port: Any, *_: object, **__: object) -> list[Any]:
        # An address means itself; only names are looked up.
        address = host if host in answers else left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9090",
        "http://10.1.2.3",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:9090",
        "http://[fd00::1]",
        "http://[::ffff:10.0.0.1]",
        "http://[64:ff9b::a00:1]",
        "http://0.0.0.0",
        "http://224.0.0.1",
        "http://[::]",
        "http://[::127.0.0.1]",
        "http://[::ffff:0:10.0.0.1]",
        "http://[2002:a00:1::]",
        "http://[fec0::1]",
        "http://[fe80::1]",
        "http://100.64.0.1",
        "http://2130706433",
        "http://0177.0.0.1",
        "http://0x7f.1",
        "http://127.1",
        "http://93.184.216.34@127.0.0.1",
    ],
)
def test_an_internal_address_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddress, match="internal address"):
        egress.check(url, [])


@pytest.mark.parametrize("url", ["https://93.184.216.34", "http://[2606:4700::1111]:9090"])
def test_a_public_address_is_allowed(url: str) -> None:
    egress.check(url, [])


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://10.1.2.3", "10.0.0.0/8"),
        ("http://10.1.2.3", "10.1.2.3"),
        ("http://localhost:9090", "LOCALHOST"),
        ("http://[fd00::1]", "fd00::/8"),
        ("http://[::ffff:10.0.0.1]", "10.0.0.0/8"),
    ],
)
def test_an_administrator_can_allow_it(url: str, allowed: str) -> None:
    egress.check(url, ["not a network", allowed])


def test_allowing_one_network_does_not_allow_another() -> None:
    with pytest.raises(ForbiddenAddress):
        egress.check("http://192.168.0.1", ["10.0.0.0/8"])


def test_the_refusal_names_host_and_address_but_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "10.0.0.7")
    with pytest.raises(ForbiddenAddress) as refusal:
        egress.check("http://user:hush@inside.example/secret", [])
    assert str(refusal.value) == (
        "inside.example (10.0.0.7) is an internal address. "
        "An administrator can allow it with FIRELINE_INTERNAL_ADDRESSES."
    )


def test_a_name_that_does_not_resolve_yet_passes_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    egress.check("http://soon.example", [])


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
def test_a_name_that_can_be_none_does_not_resolve(host: str) -> None:
    egress.check(f"http://{host}/", [])
    with egress.session([]) as session, pytest.raises(requests.ConnectionError, match="Name or service not known"):
        session.get(f"http://{host}/")


def test_a_name_that_resolves_inwards_the_second_time_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    with impostor(Reply(b"{}")) as server, egress.session([]) as session:
        resolving(monkeypatch, "93.184.216.34", "127.0.0.1")
        url = f"http://rebinding.example:{server.server.server_port}"
        egress.check(url, [])
        with pytest.raises(ForbiddenAddress):
            session.get(url)
        assert server.requests == []


def test_the_name_is_looked_up_once_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with impostor(Reply(b"{}")) as server, egress.session(["127.0.0.1"]) as session:
        resolving(monkeypatch, "127.0.0.1", "10.0.0.1")
        response = session.get(f"http://steady.example:{server.server.server_port}/")
        assert response.ok
        assert server.requests[0].headers["Host"] == f"steady.example:{server.server.server_port}"


def test_a_redirect_inwards_is_not_followed() -> None:
    inwards = Reply(status=302, headers={"Location": "http://10.0.0.1/"})
    with impostor(inwards) as server, egress.session(["127.0.0.1"]) as session, pytest.raises(ForbiddenAddress):
        session.get(server.url)


def test_an_adapter_that_a_library_mounts_does_not_lift_the_guard() -> None:
    with impostor(Reply(b"{}")) as server, egress.session([]) as session:
        session.mount(server.url, requests.adapters.HTTPAdapter())
        with pytest.raises(ForbiddenAddress):
            session.get(server.url)


def test_the_environments_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with impostor(Reply(b"{}")) as proxy, egress.session([]) as session:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with pytest.raises(ForbiddenAddress):
            session.get("http://10.0.0.1/")
        assert proxy.requests == []


def test_only_web_addresses_are_called() -> None:
    with egress.session([]) as session, pytest.raises(requests.exceptions.InvalidSchema):
        session.get("file:///etc/passwd")
