import pytest

from evidence.templates import Templates, exception_of, mask, operation_pattern

JAVA = """java.lang.IllegalStateException: no seats left for 4711
\tat shop.seats.Plan.reserve(Plan.java:88)
\tat shop.seats.Api.post(Api.java:12)"""
PYTHON = """Traceback (most recent call last):
  File "/app/api.py", line 12, in post
    reserve(seat)
  File "/app/plan.py", line 88, in reserve
    raise SoldOutError(seat)
shop.plan.SoldOutError: 4711"""


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("took 31 ms, then 4.5s", "took <*> ms, then <*>s"),
        ("at 2026-11-03T14:03:11.250Z from 10.0.0.7:8080", "at <*> from <*>"),
        ("at 2026-11-03 14:03:11,250 done", "at <*> done"),
        ("user 3f2504e0-4f89-11d3-9a0c-0305e82c3301 left", "user <*> left"),
        ("trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace <*>"),
        ("defaced facade deadbeef", "defaced facade deadbeef"),
        ("http2 over utf8", "http2 over utf8"),
        ("balance -12.50", "balance <*>"),
        ('order "A-4711" failed', "order <*> failed"),
        ("status=500 retries=3", "status=<*> retries=<*>"),
        ("s.o.OrderApi#53 order 9", "s.o.OrderApi#53 order <*>"),
        ("store.go:53: disk 9", "store.go:53: disk <*>"),
    ],
)
def test_what_is_surely_variable_is_masked(line: str, masked: str):
    assert mask(line) == masked


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("GET /orders/8231/lines?full=1", "GET /orders/<*>/lines"),
        ("/api/v1/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/api/v1/users/<*>"),
        ("/api/v2/orders/{id}", "/api/v2/orders/{id}"),
        ("/mail/jo@example.org", "/mail/<*>"),
        ("SELECT shop.orders", "SELECT shop.orders"),
        ("/*", "/*"),
    ],
)
def test_an_operation_is_named_by_its_kind_not_by_its_ids(name: str, pattern: str):
    assert operation_pattern(name) == pattern


def added(*lines: str) -> tuple[list[int], list[str]]:
    templates = Templates()
    numbers = [templates.add(line) for line in lines]
    return numbers, list(templates)


def test_words_that_differ_become_a_wildcard():
    numbers, patterns = added("login of user anna from home", "login of user berta from work")
    assert (numbers, patterns) == ([0, 0], ["login of user <*> from <*>"])


def test_lines_that_share_little_stay_apart():
    numbers, _ = added("cache warmed for catalogue", "payment refused by bank now")
    assert numbers == [0, 1]


def test_the_same_words_at_two_places_in_the_source_are_two_patterns():
    numbers, _ = added("o.OrderApi#53 order saved", "o.OrderApi#61 order saved")
    assert numbers == [0, 1]


def test_a_list_is_one_thing_however_long_it_is():
    numbers, patterns = added("seats [A1, A2] free", "seats [A1, A2, A3, A4] free")
    assert (numbers, patterns) == ([0, 0], ["seats [<*>] free"])


def test_a_long_line_that_is_cut_within_a_list_is_the_same_pattern():
    numbers, _ = added(
        *(f"trips loaded [{', '.join(f'Trip(a={n}, b=x)' for n in range(many))}]" for many in (3, 80, 99))
    )
    assert numbers == [0, 0, 0]


def test_services_do_not_share_patterns():
    templates = Templates()
    assert templates.add("started", "shop") != templates.add("started", "stock")


def test_numbers_stay_apart_from_each_other():
    _, patterns = added("moved 3 of 9 in 12 ms")
    assert patterns == ["moved <*> of <*> in <*> ms"]


@pytest.mark.parametrize(
    ("text", "thrown"),
    [
        (JAVA, ("java.lang.IllegalStateException", "shop.seats.Plan.reserve")),
        (PYTHON, ("shop.plan.SoldOutError", "/app/plan.py reserve")),
        ("at last it works", None),
    ],
)
def test_a_stack_trace_is_known_by_its_type_and_top_frame(text: str, thrown: tuple[str, str] | None):
    assert exception_of(text) == thrown


def test_stack_traces_with_other_frames_below_are_one_pattern():
    numbers, patterns = added(JAVA, JAVA.replace("4711", "4712").replace("Api.post", "Api.put"))
    assert numbers == [0, 0]
    assert "java.lang.IllegalStateException at shop.seats.Plan.reserve" in patterns[0]


def test_stack_traces_of_another_origin_are_another_pattern():
    numbers, _ = added(JAVA, JAVA.replace("Plan.reserve", "Plan.release"))
    assert numbers == [0, 1]


def test_a_stack_trace_beside_the_line_counts_too():
    templates = Templates()
    assert templates.add("request failed", stack=JAVA) != templates.add("request failed", stack=PYTHON)


def test_a_million_different_words_do_not_make_the_tree_grow_without_end():
    templates = Templates()
    for number in range(2_000):
        templates.add(f"{chr(97 + number % 26) * (number // 26 + 1)} is here")
    assert len(templates) < 300
