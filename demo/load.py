"""The shop's users: requests that arrive by themselves, whether or not the ones before them were answered."""

import logging
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import requests
from flask import Flask
from prometheus_client import Counter, Gauge

from demo import serving, telemetry, traffic
from demo.processes import Process, process, processes
from demo.releases import VERSIONS
from demo.traffic import Origin, pick

# Users who find nobody free to carry their request are counted and lost: a slow shop must not pile up threads.
CONCURRENCY = 48
PATIENCE = 10.0
logger = logging.getLogger("shop.load")
sent = Counter("load_requests", "Requests sent to the shop.", ("flow", "outcome"))
lost = Counter("load_requests_lost", "Requests not sent because too many were waiting.")
waiting = Gauge("load_requests_in_flight", "Requests that wait for an answer.")


class Users:
    """Sends requests to the storefront, at most `CONCURRENCY` at a time."""

    def __init__(self) -> None:
        self.storefront = process("gateway").url
        self.session = requests.Session()
        self.free = threading.BoundedSemaphore(CONCURRENCY)
        self.carriers = ThreadPoolExecutor(CONCURRENCY, "user")

    def arrive(self) -> None:
        """One more user, of a random kind; does not wait for the answer."""
        if not self.free.acquire(blocking=False):
            lost.inc()
            return
        self.carriers.submit(self._visit, pick(traffic.FLOWS, random.random()), pick(traffic.ORIGINS, random.random()))

    def _visit(self, flow: str, origin: Origin) -> None:
        with waiting.track_inprogress():
            try:
                answer = self.request(flow, origin)
                outcome = f"{answer.status_code // 100}xx"
            except requests.RequestException:
                outcome = "no answer"
            finally:
                self.free.release()
        sent.labels(flow, outcome).inc()

    def request(self, flow: str, origin: Origin) -> requests.Response:
        headers = {"X-Tenant": origin.tenant, "X-Region": origin.region}
        word = random.choice(traffic.WORDS)
        if flow == "search":
            return self.session.get(f"{self.storefront}/search", params={"q": word}, headers=headers, timeout=PATIENCE)
        payload = {"user": f"user{random.randrange(500)}"}
        if flow == "checkout":
            payload = {"item": word, "payment_method": pick(traffic.METHODS, random.random())}
        return self.session.post(f"{self.storefront}/{flow}", json=payload, headers=headers, timeout=PATIENCE)


def arrivals(users: Users, mean: float, stopping: threading.Event) -> None:
    """A Poisson process whose rate follows the day; begins when the whole shop is open."""
    while not all(is_open(service) for service in processes() if service.name != "load"):
        if stopping.wait(0.5):
            return
    while not stopping.wait(random.expovariate(traffic.rate(datetime.now(UTC), mean))):
        users.arrive()


def is_open(service: Process) -> bool:
    try:
        return requests.get(service.ready_url, timeout=2).ok
    except requests.RequestException:
        return False


def main() -> None:
    telemetry.log_to_stdout("load")
    mean = float(os.environ.get("SHOP_REQUESTS_PER_SECOND") or traffic.MEAN_RATE)
    stopping = threading.Event()
    if mean > 0:
        threading.Thread(target=arrivals, args=(Users(), mean, stopping), daemon=True).start()
    app: Flask = serving.make_app(process("load"), VERSIONS["load"], untraced=".*", measured=False)
    serving.serve(app, process("load"))
    stopping.set()


if __name__ == "__main__":
    main()
