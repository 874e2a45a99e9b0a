"""Asks programs whether they are ready to work. Each answer is quick; the supervisor asks again."""

import socket
import urllib.error
import urllib.request

from launcher.child import Child

# Loopback only: a proxy from the environment must not be asked.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Http:
    """Answers 200."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, child: Child) -> bool:
        try:
            with _opener.open(self.url, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


class Redis:
    """Answers PING."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, child: Child) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Says:
    """Has no port to ask, but logs `words` when it is ready."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __call__(self, child: Child) -> bool:
        return self.words in child.written()
