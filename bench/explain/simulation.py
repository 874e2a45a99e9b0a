"""One request's way through a system, step by step, and all of them one after the other as they arrive.

A request is walked to its end before the next one is. What is shared is therefore handed out in the order of arrival at
the front door, to each at the time when it gets there.
"""

from random import Random
from typing import NamedTuple, assert_never

from bench.explain.faults import Effect
from bench.explain.gates import Gates
from bench.explain.records import ERROR, INFO, WARN, Ended, LogRecord, Pod, SpanRecord
from bench.explain.system import Call, Choice, Lookup, Query, Send, Sometimes, Step, Together, Work
from bench.explain.wording import client_attributes, client_name, database_attributes, server_attributes, server_name
from bench.explain.world import PAUSE_SECONDS, WIRE, Arrivals, Plan, Recording, Request, World
from connectors.telemetry import SpanKind


class Done(NamedTuple):
    """When something ended, and why it failed (empty if it did not)."""

    end: float
    error: str = ""


def run(plan: Plan, random: Random) -> Recording:
    """What is recorded while `plan` takes place."""
    world, gates = World(plan, random), Gates()
    recording = Recording(world)
    for request in Arrivals(plan, random):
        Walk(world, gates, recording, request).go()
    return recording


class Walk:
    def __init__(self, world: World, gates: Gates, recording: Recording, request: Request) -> None:
        self.world, self.gates, self.recording, self.request = world, gates, recording, request
        self.system, self.dialect = world.plan.system, world.plan.system.dialect
        self.meters = recording.meters
        self.spans: list[SpanRecord] = []

    def go(self) -> None:
        request = self.request
        done = self.serve(request.flow.service, request.flow.operation, request.at, "", "server")
        if request.sampled:
            self.recording.traces.append(self.spans)
        if request.flow.name == self.world.plan.flow:
            seconds = done.end - request.at
            ended = Ended(request.at, seconds, bool(done.error), request.touched, request.attributes)
            self.recording.ended.append(ended)

    # -- What is recorded ------------------------------------------------------------------------------------------
    def open(self, name: str, kind: SpanKind, pod: Pod, parent: str, start: float) -> SpanRecord:
        span_id = f"{self.world.random.getrandbits(64) | 1:016x}"
        span = SpanRecord(self.request.trace_id, span_id, parent, pod, name, kind, start)
        if self.dialect.carries or not parent:
            span.attributes.update(self.request.attributes)
        self.spans.append(span)
        return span

    def say(self, span: SpanRecord, at: float, severity: int, template: str, seconds: float = 0.0) -> None:
        random = self.world.random
        words = {"{id}": f"{random.randrange(10**6):06}", "{n}": f"{random.randrange(2, 60)}"}
        body = template.replace("{ms}", f"{seconds * 1000:.0f}")
        for word, value in words.items():
            body = body.replace(word, value)
        self.recording.logs.append(LogRecord(at, span.pod, severity, body, span.trace_id, span.span_id))

    def close(self, span: SpanRecord, done: Done) -> Done:
        span.end, span.error = done
        return done

    # -- A service -------------------------------------------------------------------------------------------------
    def serve(self, service: str, operation: str, at: float, parent: str, kind: SpanKind) -> Done:
        """Let a service do one of its operations, as soon as it has a thread for it."""
        known = self.system.service(service)
        pod = self.world.any_pod(service, at)
        threads = self.gates.threads(service, pod.number, known.threads) if known.threads else None
        begin = threads.earliest(at) if threads else at
        span = self.open(server_name(operation, self.dialect, self.world.random), kind, pod, parent, begin)
        done = self.close(span, self.perform(span, service, operation, begin))
        if threads:
            threads.hold(begin, done.end)
        span.attributes.update(server_attributes(operation, bool(done.error), self.dialect, kind))
        self.meters.served[pod].append((begin, done.end - begin, bool(done.error)))
        return done

    def perform(self, span: SpanRecord, service: str, operation: str, begin: float) -> Done:
        random = self.world.random
        known = self.system.service(service)
        effect = self.world.effect("visit", service, operation, span.pod, begin, self.request)
        now = begin + effect.extra
        if random.random() < self.world.plan.pauses / 8:
            now += self.world.about(PAUSE_SECONDS)
        if not effect.error and random.random() < known.refuses:
            effect.error, effect.line = "Unavailable: try again", "request {id} refused, try again"
        if effect.line:
            self.say(span, now, ERROR if effect.error else WARN, effect.line, effect.extra)
        done = Done(now, effect.error) if effect.error else self.steps(known.operation(operation).steps, span, now)
        says = known.operation(operation).says
        if says and not done.error:
            self.say(span, done.end, INFO, says, done.end - begin)
        return done

    def steps(self, steps: tuple[Step, ...], span: SpanRecord, now: float) -> Done:
        done = Done(now)
        for step in steps:
            done = self.take(step, span, done.end)
            if done.error:
                break
        return done

    def take(self, step: Step, span: SpanRecord, now: float) -> Done:
        match step:
            case Work():
                return self.work(step, span, now)
            case Query():
                return self.query(step, span, now)
            case Lookup():
                return self.lookup(step, span, now)
            case Call():
                return self.call(step, span, now)
            case Send():
                return self.send(step, span, now)
            case Together(inner):
                done = [self.take(one, span, now) for one in inner]
                return Done(max(one.end for one in done), next((one.error for one in done if one.error), ""))
            case Choice(attribute, choices):
                chosen = choices.get(self.request.attributes.get(attribute, ""))
                return self.take(chosen, span, now) if chosen else Done(now)
            case Sometimes(share, inner_step):
                return self.take(inner_step, span, now) if self.world.random.random() < share else Done(now)
            case _:
                assert_never(step)

    # -- The kinds of steps ----------------------------------------------------------------------------------------
    def work(self, step: Work, span: SpanRecord, now: float) -> Done:
        effect = self.world.effect("work", span.pod.service, "", span.pod, now, self.request)
        usual = self.world.about(step.seconds)
        self.meters.busy[span.pod].append((now, usual))
        end = now + usual * effect.factor + effect.extra
        if step.name:
            working = self.open(step.name, "internal", span.pod, span.span_id, now)
            self.close(working, Done(end, effect.error))
        if effect.line:
            self.say(span, end, ERROR if effect.error else WARN, effect.line, effect.extra)
        return Done(end, effect.error)

    def query(self, step: Query, span: SpanRecord, now: float) -> Done:
        if step.pooled:
            got = self.acquire(span, now)
            if got.error:
                return got
            asked, now = now, got.end
        effect = self.world.effect("query", step.database, step.name, span.pod, now, self.request)
        done = Done(now + self.world.about(step.seconds) * effect.factor + effect.extra, effect.error)
        asking = self.open(step.name, "client", span.pod, span.span_id, now)
        asking.attributes.update(database_attributes(step.database, step.name, step.kind, self.dialect))
        self.close(asking, done)
        if effect.line:
            self.say(span, done.end, ERROR if effect.error else WARN, effect.line, effect.extra)
        self.meters.called[span.pod.service, step.database].append((now, done.end - now, bool(done.error)))
        if step.pooled:
            self.gates.connections(span.pod.service, self._pool_size(span.pod.service)).hold(now, done.end)
            self.meters.pools[span.pod.service].append((asked, now, done.end))
        return done

    def acquire(self, span: SpanRecord, now: float) -> Done:
        """Get a connection of the service's pool, or give up."""
        pool = self.system.service(span.pod.service).pool
        assert pool is not None, f"{span.pod.service} has no pool"
        free = self.gates.connections(span.pod.service, pool.size).earliest(now)
        free = self.world.blocked_until(span.pod.service, free)
        self.request.touched |= free > now + 0.01
        waiting = self.open("acquire connection", "internal", span.pod, span.span_id, now)
        waiting.attributes["db.client.connection.pool.name"] = pool.name
        if free - now <= pool.patience:
            return self.close(waiting, Done(free))
        self.meters.pools[span.pod.service].append((now, now + pool.patience, now + pool.patience))
        message = f"pool {pool.name}: {pool.size} of {pool.size} connections in use, waited {pool.patience:g} s"
        self.say(span, now + pool.patience, ERROR, message)
        return self.close(waiting, Done(now + pool.patience, f"PoolExhausted: {message}"))

    def _pool_size(self, service: str) -> int:
        pool = self.system.service(service).pool
        return pool.size if pool else 1

    def lookup(self, step: Lookup, span: SpanRecord, now: float) -> Done:
        hits = self.world.hits(step.cache, step.hits, now)
        hit = self.world.random.random() < hits
        self.meters.caches[step.cache].append((now, hit))
        self.request.touched |= not hit and hits < step.hits
        asked = self.query(Query(step.cache, step.name, step.seconds, "redis"), span, now)
        return asked if hit or asked.error else self.take(step.miss, span, asked.end)

    def send(self, step: Send, span: SpanRecord, now: float) -> Done:
        queue = self.system.queue(step.queue)
        sending = self.open(f"send {queue.name}", "producer", span.pod, span.span_id, now)
        sending.attributes |= {"messaging.system": "queue", "messaging.destination.name": queue.name}
        sent = now + self.world.about(0.002)
        line = self.gates.line(queue.name, queue.consumers)
        if queue.capacity and line.depth(now) >= queue.capacity:
            self.request.touched = True
            message = f"{queue.capacity} messages are waiting, the queue is full"
            self.say(span, sent, ERROR, f"order cannot be queued: {message}")
            return self.close(sending, Done(sent, f"QueueFull: {message}"))
        self.close(sending, Done(sent))
        begun = line.next(sent + WIRE)
        line.work(begun, self.serve(queue.service, queue.operation, begun, sending.span_id, "consumer").end)
        self.meters.queues[queue.name].append((sent, begun))
        return Done(sent)

    def call(self, step: Call, span: SpanRecord, now: float) -> Done:
        """Ask another service, more than once if need be."""
        done = Done(now)
        for attempt in range(1, step.attempts + 1):
            done, late = self.attempt(step, span, done.end)
            if not done.error or (late and not step.patient) or attempt == step.attempts:
                break
            self.say(span, done.end, WARN, f"{step.service} failed, trying once more: {done.error}")
            done = Done(done.end + 0.02 * attempt, done.error)
        if done.error and step.optional:
            self.say(span, done.end, WARN, f"going on without {step.service}: {done.error}")
            return Done(done.end)
        return done

    def attempt(self, step: Call, span: SpanRecord, now: float) -> tuple[Done, bool]:
        """One call, and whether it took too long."""
        asking = self.open(client_name(step, self.dialect, self.world.random), "client", span.pod, span.span_id, now)
        wire = self.world.effect("network", step.service, step.operation, span.pod, now, self.request)
        done = self.over_the_wire(step, asking, now, wire)
        late = done.end - now > step.timeout
        if late:
            line = step.timed_out.replace("{callee}", step.service).replace("{operation}", step.operation)
            self.say(span, now + step.timeout, ERROR, line, step.timeout + self.world.random.random() * 0.02)
            done = Done(now + step.timeout, f"{step.service} did not answer within {step.timeout:g} s")
        asking.attributes.update(client_attributes(step, done.error, late, self.dialect))
        self.meters.called[span.pod.service, step.service].append((now, done.end - now, bool(done.error)))
        return self.close(asking, done), late

    def over_the_wire(self, step: Call, asking: SpanRecord, now: float, wire: Effect) -> Done:
        if wire.error:
            return Done(now + wire.extra, wire.error)
        served = self.serve(step.service, step.operation, now + WIRE + wire.extra / 2, asking.span_id, "server")
        reason = f"{step.service} answered 500: {served.error.split(': ')[-1]}" if served.error else ""
        return Done(served.end + WIRE + wire.extra / 2, reason)
