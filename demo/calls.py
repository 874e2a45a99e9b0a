"""HTTP calls from one service of the shop to another."""

import logging
from typing import Any

import requests

from demo.processes import process
from demo.serving import Failure

_session = requests.Session()


class CallFailed(Failure):
    """Another service did not do what it was asked; the caller's caller is told so in turn."""

    level = logging.WARNING

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def call(service: str, method: str, path: str, payload: dict[str, Any] | None = None, timeout: float = 10) -> Any:
    """The JSON that `service` answers with; `timeout` in seconds.

    Raises CallFailed: 504 when it took too long, 503 when it is overloaded or not there, 502 for its other errors.
    """
    url = process(service).url + path
    try:
        answer = _session.request(method, url, json=payload, timeout=timeout)
    except requests.Timeout as error:
        raise CallFailed(f"{service} did not answer within {timeout:g} s", 504) from error
    except requests.ConnectionError as error:
        raise CallFailed(f"{service} cannot be reached", 503) from error
    if answer.status_code >= 500:
        passed_on = answer.status_code if answer.status_code in (503, 504) else 502
        raise CallFailed(f"{service} answered {answer.status_code}: {_reason(answer)}", passed_on)
    if answer.status_code >= 400:
        raise CallFailed(f"{service} refused: {_reason(answer)}", answer.status_code)
    return answer.json()


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json().get("error", answer.reason))
    except requests.JSONDecodeError:
        return answer.reason
