"""Where Fireline may connect to when people name the address: public ones, and those an administrator allowed.

The check is made on the address that is really connected to, for every connection: a host name that resolves to
something else the second time, or an answer that redirects inwards, gains nothing.
"""

import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError
from urllib3.poolmanager import PoolManager

from connectors.errors import ForbiddenAddress

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_IN_IPV6 = (1 << 32) - 1
# All that IPv6 hands out to the public; outside of it are old forms that wrap IPv4 and sites' own addresses, which
# `is_global` takes for public.
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")


def session(allowed: Sequence[str], verify: bool = True) -> "Session":
    """A session that connects to public addresses, and to what `allowed` names: networks, addresses, host names.

    Requests raise `connectors.errors.ForbiddenAddress` for everything else. Proxies and `.netrc` of the environment
    are not used: a proxy would resolve names again, and credentials belong to a source.
    """
    return Session(allowed, verify)


def check(url: str, allowed: Sequence[str]) -> None:
    """Raises `ForbiddenAddress` when a session would refuse `url` now. A name that does not resolve passes."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = _resolve(host, port)
    except OSError:
        return
    _permitted(host, found, allowed)


class Session(requests.Session):
    """A session whose every connection is checked, whatever adapters a library mounts on it."""

    def __init__(self, allowed: Sequence[str], verify: bool = True) -> None:
        super().__init__()
        self.trust_env = False
        # With `trust_env` off, requests would also ignore where a private certificate authority is kept.
        self.verify = (os.environ.get("REQUESTS_CA_BUNDLE") or True) if verify else False
        self._guarded = _GuardedAdapter(tuple(allowed))

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        address = url.decode() if isinstance(url, bytes) else url
        if not address.lower().startswith(("http://", "https://")):
            raise requests.exceptions.InvalidSchema("Only http:// and https:// addresses are called.")
        return self._guarded

    def close(self) -> None:
        super().close()
        self._guarded.close()


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        manager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **options)
        manager.pool_classes_by_scheme = _pool_classes(self._allowed)
        self.poolmanager = manager


def _pool_classes(allowed: tuple[str, ...]) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(_Guarded, HTTPConnection):
        permitted = allowed

    class Encrypted(_Guarded, HTTPSConnection):
        permitted = allowed

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


class _Guarded(HTTPConnection):
    """Resolves once, judges, and connects to the very address it judged."""

    permitted: tuple[str, ...] = ()

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = _resolve(name, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        addresses = _permitted(name.rstrip("."), found, self.permitted)
        try:
            return self._first_that_answers(addresses)
        finally:
            # The name again, for the certificate's check and the Host header.
            self._dns_host = name

    def _first_that_answers(self, addresses: Sequence[Address]) -> socket.socket:
        for address in addresses[:-1]:
            self._dns_host = str(address)
            try:
                return super()._new_conn()
            except OSError:
                continue
        self._dns_host = str(addresses[-1])
        return super()._new_conn()


def _resolve(host: str, port: int | None) -> list[Address]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except UnicodeError:
        # A label that is empty or longer than 63 letters: no name server is asked for it.
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    # The scope of a link-local address (fe80::1%eth0) says nothing about where it leads.
    texts = dict.fromkeys(cast(str, answer[4][0]).split("%")[0] for answer in found)
    return [ipaddress.ip_address(text) for text in texts]


def _permitted(host: str, found: Sequence[Address], allowed: Sequence[str]) -> list[Address]:
    """Those of `found` that may be connected to. Raises `ForbiddenAddress` when there is none."""
    if host.lower() in (entry.lower() for entry in allowed):
        return list(found)
    networks = [network for entry in allowed if (network := _network(entry))]
    passed = [address for address in found if _is_public(address) or _within(address, networks)]
    if passed:
        return passed
    shown = host if not found or host == str(found[0]) else f"{host} ({found[0]})"
    raise ForbiddenAddress(
        f"{shown} is an internal address. An administrator can allow it with FIRELINE_INTERNAL_ADDRESSES."
    )


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # a host name
        return None


def _within(address: Address, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(meant in network for meant in (address, _meant(address)) for network in networks)


def _is_public(address: Address) -> bool:
    meant = _meant(address)
    if isinstance(meant, ipaddress.IPv6Address) and meant not in _PUBLIC_IPV6:
        return False
    return meant.is_global and not meant.is_multicast


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one wraps, if it does: ::ffff:10.0.0.1 leads to 10.0.0.1."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _IPV4_IN_IPV6)
    return address.ipv4_mapped or address.sixtofour or address
