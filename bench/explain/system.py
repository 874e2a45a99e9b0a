"""A system as data: its services, what each of their operations does, and who uses it. Times are in seconds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

type Step = Work | Query | Lookup | Call | Send | Together | Choice | Sometimes


@dataclass(frozen=True, slots=True)
class Work:
    """The service's own doing. Without a name it gets no span, and is self time of the span around it."""

    seconds: float
    name: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A question to a database that sends no spans itself; `pooled`: over a connection of the service's pool."""

    database: str
    name: str
    seconds: float = 0.006
    kind: str = "postgresql"
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class Lookup:
    """A cache in front of `miss`, which is done when the cache does not know."""

    cache: str
    name: str
    miss: Step
    hits: float = 0.95
    seconds: float = 0.0008


@dataclass(frozen=True, slots=True)
class Call:
    """A call that its caller waits for, and tries `attempts` times: after timeouts too if `patient`.

    `optional`: the caller does without, and says so in its log.
    """

    service: str
    operation: str
    timeout: float = 10.0
    attempts: int = 1
    patient: bool = False
    optional: bool = False
    timed_out: str = "{operation} timed out after {ms} ms callee={callee}"


@dataclass(frozen=True, slots=True)
class Send:
    """A message that somebody handles later."""

    queue: str


@dataclass(frozen=True, slots=True)
class Together:
    """Steps that begin at once."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The step that an attribute of the request decides; nothing where it has none of these values."""

    attribute: str
    steps: Mapping[str, Step]


@dataclass(frozen=True, slots=True)
class Sometimes:
    share: float
    step: Step


@dataclass(frozen=True, slots=True)
class Operation:
    """What a service does when asked. `says` is a log line about it; `{id}` and `{ms}` differ each time."""

    name: str
    steps: tuple[Step, ...]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    name: str
    size: int = 8
    patience: float = 1.0


@dataclass(frozen=True, slots=True)
class Service:
    """`threads`: how many requests a pod serves at once (0: any number); `refuses`: its share of innocent errors."""

    name: str
    version: str
    operations: tuple[Operation, ...]
    pods: int = 2
    threads: int = 0
    refuses: float = 0.0005
    pool: Pool | None = None

    def operation(self, name: str) -> Operation:
        return next(operation for operation in self.operations if operation.name == name)


@dataclass(frozen=True, slots=True)
class Queue:
    """`capacity` 0 takes any number of messages."""

    name: str
    service: str
    operation: str
    consumers: int = 2
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class Column:
    """Attributes that are drawn together: each row holds a value for each name, and its share of the requests."""

    names: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], float], ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """What users do: the operation that they call, its share of all requests, and what tells requests apart."""

    name: str
    service: str
    operation: str
    share: float
    columns: tuple[Column, ...]
    users: int = 400


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a system's telemetry is written.

    `peer` names the callee on a client span (empty: nothing does); `carries` says that all spans have the request's
    attributes, not only the first; `urls` that spans are called after their URL, ids and all.
    """

    peer: str = "peer.service"
    carries: bool = False
    urls: bool = False
    metrics: Literal["counters", "gauges"] = "counters"


@dataclass(frozen=True)
class System:
    name: str
    services: tuple[Service, ...]
    flows: tuple[Flow, ...]
    dialect: Dialect
    queues: tuple[Queue, ...] = ()
    nodes: int = 4

    @cached_property
    def _services(self) -> Mapping[str, Service]:
        return {service.name: service for service in self.services}

    def service(self, name: str) -> Service:
        return self._services[name]

    def flow(self, name: str) -> Flow:
        return next(flow for flow in self.flows if flow.name == name)

    def queue(self, name: str) -> Queue:
        return next(queue for queue in self.queues if queue.name == name)

    def with_service(self, changed: Service) -> "System":
        services = tuple(changed if service.name == changed.name else service for service in self.services)
        return replace(self, services=services)

    def edges(self) -> list[tuple[str, str]]:
        """Who calls whom, databases and caches too."""
        found = {
            (service.name, callee)
            for service in self.services
            for operation in service.operations
            for step in operation.steps
            for callee in self._callees(step)
        }
        return sorted(found)

    def nodes_of(self, service: str) -> list[str]:
        """The node of each of its pods."""
        place = [one.name for one in self.services].index(service)
        return [
            f"node-{(place + number * 2 + number) % self.nodes + 1}" for number in range(self.service(service).pods)
        ]

    def _callees(self, step: Step) -> Iterator[str]:
        match step:
            case Call(service):
                yield service
            case Query(database):
                yield database
            case Lookup(cache, _, miss):
                yield cache
                yield from self._callees(miss)
            case Send(queue):
                yield self.queue(queue).service
            case Sometimes(_, inner):
                yield from self._callees(inner)
            case Together(steps):
                for inner in steps:
                    yield from self._callees(inner)
            case Choice(_, choices):
                for inner in choices.values():
                    yield from self._callees(inner)
