"""Waiting for what is shared."""

from bench.explain.gates import Line, Places


def test_a_free_place_is_had_at_once():
    places = Places(2)
    places.hold(0, 10)
    assert places.earliest(5) == 5


def test_when_all_are_held_one_waits_for_the_first_that_comes_back():
    places = Places(2)
    places.hold(0, 10)
    places.hold(0, 8)
    assert places.earliest(5) == 8


def test_a_place_that_somebody_will_hold_later_is_free_until_then():
    places = Places(1)
    places.hold(20, 30)
    assert places.earliest(5) == 5


def test_whoever_waits_too_stands_before_the_next():
    places = Places(1)
    places.hold(0, 10)
    places.hold(10, 20)
    assert places.earliest(5) == 20


def test_messages_wait_while_their_consumers_work():
    line = Line(1)
    line.work(line.next(0), 10)
    line.work(line.next(1), 20)
    assert line.next(2) == 20
    assert line.depth(5) == 1
    assert line.depth(15) == 0
