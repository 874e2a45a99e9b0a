from evidence.own_time import PLACES, own_time
from tests.evidence.traffic import MS, NOON, Step, Traffic, call


def spent(root: Step) -> dict[tuple[str, str, str], float]:
    """Milliseconds by place, caller and callee."""
    made = Traffic()
    made.add(NOON, root)
    own = own_time(made.table())
    times: dict[tuple[str, str, str], float] = {}
    for place, caller, callee, time in zip(own.place, own.caller, own.callee, own.time_ns, strict=True):
        key = PLACES[place], own.services[caller], own.services[callee]
        times[key] = times.get(key, 0) + int(time) / MS
    return times


def test_the_time_of_a_request_is_divided_without_rest():
    times = spent(Step("web", "GET /", (call("web", Step("a", "x", own=30), 4),), own=10))
    assert times == {("itself", "web", "web"): 10, ("way", "web", "a"): 4, ("itself", "a", "a"): 30}


def test_a_call_without_an_answer_is_on_the_way_to_whom_it_names():
    times = spent(Step("web", "GET /", (call("web", None, 40, attributes={"db.namespace": "orders"}),), own=10))
    assert times["way", "web", "orders"] == 40


def test_a_span_that_waits_beside_a_call_has_only_the_time_it_does_not_share():
    waiting = Step("web", "handle", own=100, kind="unspecified", detached=True)
    times = spent(Step("web", "GET /", (waiting, call("web", Step("a", "x", own=80), 4)), own=1))
    assert times["itself", "web", "web"] == 1 + 16


def test_two_calls_side_by_side_both_count():
    first = call("web", Step("a", "x", own=50), 1)
    both = Step(
        "web",
        "GET /",
        (Step("web", "call", first.steps, 1, "client", detached=True), call("web", Step("b", "y", own=50), 1)),
    )
    times = spent(both)
    assert (times["itself", "a", "a"], times["itself", "b", "b"]) == (50, 50)


def test_a_message_waits_in_its_queue_from_its_sending_on():
    taken = Step("mailer", "process", kind="consumer", late=500, detached=True, own=20)
    times = spent(Step("web", "GET /", (Step("web", "send", (taken,), own=1, kind="producer"),)))
    assert times["queue", "web", "mailer"] == 500
    assert times["itself", "mailer", "mailer"] == 20
