"""Every series of the shop's past, under the names and labels that the live processes expose."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat

from demo import faults, inventory, pool, worker
from demo.imagined import FAILED, NORMAL, Latency, Requests, imagine, spread
from demo.openmetrics import Writer
from demo.past import Past
from demo.processes import process, processes
from demo.traffic import PROVIDERS

DURATION = "http_server_request_duration_seconds"
INSTANT = Latency((1, 1, 1, 1, 1, 1, 1), 0.004)
# Within the boundaries of the pool's wait times.
AT_ONCE = Latency((0.97, 0.999, 1, 1, 1, 1), 0.0004)
QUEUED = Latency((0.2, 0.25, 0.4, 0.65, 0.84, 1), 0.42)
POOL = {"db_client_connection_pool_name": "inventory"}
METHOD_OF = {"checkout": "POST", "login": "POST", "search": "GET"}

type Counts = list[int]


def write(writer: Writer, happened: Past, step: int) -> None:
    """All series of `happened`; `step` is the distance between two samples in seconds."""
    _Shop(writer, happened).write(list(imagine(happened, writer.times, step)))


def added(counts: Iterable[Sequence[int]], length: int) -> Counts:
    """The sums at each instant."""
    sums = [0] * length
    for series in counts:
        sums = [total + one for total, one in zip(sums, series, strict=True)]
    return sums


class _Shop:
    def __init__(self, writer: Writer, happened: Past) -> None:
        self.writer = writer
        self.happened = happened
        self.length = len(writer.times)
        self.waiting = [self._is_waiting(at) for at in writer.times]

    def _is_waiting(self, at: int) -> bool:
        moment = datetime.fromtimestamp(at, UTC)
        return any("search" in one.failing and one.begin <= moment < one.end for one in self.happened.episodes)

    def write(self, requests: list[Requests]) -> None:
        self.every_process()
        for kind in requests:
            self.gateway(kind)
        for flow in METHOD_OF:
            self.load(flow, [kind for kind in requests if kind.flow == flow])
        self.steady("load_requests_lost_total", "load", 0)
        self.behind_checkout([kind for kind in requests if kind.flow == "checkout"])
        self.sign_in([kind for kind in requests if kind.flow == "login"])
        self.stock(requests)
        for name in faults.NAMES:
            self.steady("shop_fault_on", "control", 0, fault=name)

    # -- The shapes ----------------------------------------------------------------------------------------------

    def labels(self, job: str, **labels: str) -> dict[str, str]:
        kept = {name: value for name, value in labels.items() if value}
        return {"job": job, "instance": process(job).target, **kept}

    def resets(self, job: str) -> frozenset[int]:
        """Where a new version took over: its counters start from zero."""
        deploys = [change.at.timestamp() for change in self.happened.deploys if change.service == job]
        return frozenset(next((i for i, at in enumerate(self.writer.times) if at >= when), 0) for when in deploys)

    def steady(self, name: str, job: str, value: float, **labels: str) -> None:
        self.writer.series(name, self.labels(job, **labels), list(repeat(value, self.length)))

    def total(self, name: str, job: str, counts: Counts, **labels: str) -> None:
        self.writer.counter(name, self.labels(job, **labels), counts, self.resets(job))

    def durations(self, job: str, counts: Counts, latency: Sequence[Latency], **labels: str) -> None:
        means = [shape.mean for shape in latency]
        buckets = spread(counts, latency)
        self.writer.histogram(DURATION, self.labels(job, **labels), counts, buckets, means, self.resets(job))

    def served(self, job: str, method: str, route: str, status: str, counts: Counts, latency: Latency) -> None:
        http = {"http_request_method": method, "http_route": route, "http_response_status_code": status}
        self.durations(job, counts, [latency] * self.length, **http)

    # -- The services --------------------------------------------------------------------------------------------

    def every_process(self) -> None:
        for one in processes():
            self.steady("up", one.name, 1)
            for version, begin, end in self.happened.versions(one.name):
                low, high = begin.timestamp(), end.timestamp()
                values = [1.0 if low <= at < high else None for at in self.writer.times]
                labels = self.labels(one.name, service=one.name, version=version)
                self.writer.series("shop_build_info", labels, values)

    def gateway(self, kind: Requests) -> None:
        labels = {
            "flow": kind.flow,
            "tenant": kind.origin.tenant,
            "region": kind.origin.region,
            "payment_method": kind.payment_method,
            "http_request_method": METHOD_OF[kind.flow],
            "http_route": f"/{kind.flow}",
        }
        self.durations("gateway", kind.good, kind.latency(), **labels, http_response_status_code="200")
        for status, counts in kind.bad.items():
            latency = [FAILED[status]] * self.length
            self.durations("gateway", counts, latency, **labels, http_response_status_code=status)

    def load(self, flow: str, requests: list[Requests]) -> None:
        self.total("load_requests_total", "load", self.good(requests), flow=flow, outcome="2xx")
        bad = added([counts for kind in requests for counts in kind.bad.values()], self.length)
        self.total("load_requests_total", "load", bad, flow=flow, outcome="5xx")

    def good(self, requests: Iterable[Requests]) -> Counts:
        return added([kind.good for kind in requests], self.length)

    def bad(self, requests: Iterable[Requests], status: str) -> Counts:
        return added([kind.bad[status] for kind in requests if status in kind.bad], self.length)

    def behind_checkout(self, requests: list[Requests]) -> None:
        placed = self.good(requests)
        self.served("checkout", "POST", "/orders", "200", placed, NORMAL["checkout"])
        self.served("checkout", "POST", "/orders", "500", self.bad(requests, "502"), FAILED["502"])
        self.served("checkout", "POST", "/orders", "503", self.bad(requests, "503"), FAILED["503"])
        self.served("payment", "POST", "/charges", "200", placed, NORMAL["checkout"])
        for provider in sorted(set(PROVIDERS.values())):
            asked = self.good(kind for kind in requests if PROVIDERS[kind.payment_method] == provider)
            self.total("payment_attempts_total", "payment", asked, provider=provider, outcome="ok")
            self.served(provider, "POST", "/v2/authorize", "200", asked, NORMAL["checkout"])
        self.queue(placed)

    def queue(self, placed: Counts) -> None:
        self.served("worker", "POST", "/queue", "200", placed, INSTANT)
        self.total("orders_processed_total", "worker", placed)
        self.steady("orders_queue_depth", "worker", 0)
        self.steady("orders_queue_capacity", "worker", worker.CAPACITY)
        self.steady("orders_queue_oldest_age_seconds", "worker", 0)
        within = (0.9, *repeat(1.0, len(worker.LAG_BUCKETS) - 1))
        buckets = spread(placed, [Latency(within, 0.035)] * self.length, worker.LAG_BUCKETS)
        means = [0.035] * self.length
        self.writer.histogram("orders_queue_wait_seconds", self.labels("worker"), placed, buckets, means)

    def sign_in(self, requests: list[Requests]) -> None:
        self.served("accounts", "POST", "/sessions", "200", self.good(requests), NORMAL["login"])
        self.served("accounts", "POST", "/sessions", "500", self.bad(requests, "502"), NORMAL["login"])

    def stock(self, requests: list[Requests]) -> None:
        for flow, method, route in (("search", "GET", "/items"), ("checkout", "POST", "/reservations")):
            of_flow = [kind for kind in requests if kind.flow == flow]
            self.served("inventory", method, route, "200", self.good(of_flow), NORMAL["search"])
            self.served("inventory", method, route, "503", self.bad(of_flow, "503"), FAILED["503"])
        size = inventory.POOL_SIZE
        self.steady("db_client_connection_max", "inventory", size, **POOL)
        used = [float(size if waiting else index % 7 == 0) for index, waiting in enumerate(self.waiting)]
        self.gauge("db_client_connection_count", used, state="used")
        self.gauge("db_client_connection_count", [size - one for one in used], state="idle")
        pending = [11.0 + index % 5 if waiting else 0.0 for index, waiting in enumerate(self.waiting)]
        self.gauge("db_client_connection_pending_requests", pending)
        given_up = self.bad((kind for kind in requests if kind.flow != "login"), "503")
        resets = self.resets("inventory")
        labels = self.labels("inventory", **POOL)
        self.writer.counter("db_client_connection_timeouts_total", labels, given_up, resets, from_zero=True)
        served = self.good(kind for kind in requests if kind.flow != "login")
        asked = added([served, given_up], self.length)
        latency = [QUEUED if waiting else AT_ONCE for waiting in self.waiting]
        buckets = spread(asked, latency, pool.WAITED_BUCKETS)
        means = [shape.mean for shape in latency]
        self.writer.histogram("db_client_connection_wait_time_seconds", labels, asked, buckets, means, resets)

    def gauge(self, name: str, values: Sequence[float], **labels: str) -> None:
        self.writer.series(name, self.labels("inventory", **POOL, **labels), values)
