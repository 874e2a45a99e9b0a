"""Tells Fireline about deploys: POST of one JSON object to `FIRELINE_CHANGES_URL`, with `FIRELINE_INGEST_TOKEN`."""

import logging
import os
import threading
from datetime import UTC, datetime
from typing import Any

import requests

RETRY_AFTER = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 0.0)
logger = logging.getLogger("shop.changes")


def deploy(service: str, version: str, previous: str, at: datetime, why: str = "") -> dict[str, Any]:
    """A deploy as a change event. `at` is when the new version took over."""
    moment = at.astimezone(UTC)
    return {
        "kind": "deploy",
        "title": f"{why or 'Deploy'} {service} {version}",
        "service": service,
        "version": version,
        "at": moment.isoformat(timespec="milliseconds"),
        "attributes": {"previous.version": previous, "deployment.environment.name": "demo"},
        "url": "",
        "external_id": f"deploy-{service}-{version}-{moment:%Y%m%dT%H%M%S.%f}",
    }


def announce(change: dict[str, Any]) -> None:
    """Post it in the background, again for a minute while Fireline is not there; nobody waits for it."""
    url = os.environ.get("FIRELINE_CHANGES_URL", "")
    if url:
        threading.Thread(target=_post, args=(url, change), daemon=True).start()


def _post(url: str, change: dict[str, Any]) -> None:
    token = os.environ.get("FIRELINE_INGEST_TOKEN", "")
    given_up = threading.Event()
    for delay in RETRY_AFTER:
        try:
            answer = requests.post(url, json=change, headers={"Authorization": f"Bearer {token}"}, timeout=5)
        except requests.RequestException as error:
            logger.warning("%s was not announced: %s", change["title"], error)
        else:
            if answer.ok:
                return
            logger.warning("%s was not announced: %d %s", change["title"], answer.status_code, answer.text[:200])
            if answer.status_code < 500:
                return
        given_up.wait(delay)
