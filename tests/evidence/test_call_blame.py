"""Blaming the deepest cause in a call graph."""

import pytest

from evidence.call_blame import Trouble, call_graph, causes

type Passed = dict[tuple[str, str], float]

STRANGE, USUAL = Trouble(1e-5), Trouble(0.6)
CHAIN = [("shop", "pay"), ("pay", "bank"), ("shop", "stock")]


def blamed(
    troubles: dict[str, Trouble], edges: list[tuple[str, str]], passed: Passed | None = None
) -> dict[str, float]:
    return causes("shop", dict.fromkeys(sorted(troubles), 1.0), troubles, call_graph(edges, passed))


def test_the_deepest_unusual_service_explains_its_callers() -> None:
    found = blamed({"shop": STRANGE, "pay": STRANGE, "bank": STRANGE, "stock": USUAL}, CHAIN)
    assert next(iter(found)) == "bank"
    assert found["bank"] > 0.9


def test_a_service_whose_callees_are_usual_is_blamed_itself() -> None:
    found = blamed({"shop": STRANGE, "pay": STRANGE, "bank": USUAL, "stock": USUAL}, CHAIN)
    assert next(iter(found)) == "pay"


def test_the_flow_is_blamed_when_nothing_below_it_is_unusual() -> None:
    assert next(iter(blamed({"shop": STRANGE, "pay": USUAL, "bank": USUAL, "stock": USUAL}, CHAIN))) == "shop"


def test_a_callee_that_cannot_account_for_it_is_not_blamed() -> None:
    """The database is a little slow, but it adds up to a hundredth of what its caller loses."""
    troubles = {"shop": Trouble(1e-5, 100.0), "pay": Trouble(1e-5, 100.0), "bank": Trouble(1e-3, 1.0)}
    assert next(iter(blamed(troubles, CHAIN))) == "pay"


def test_a_callee_that_nobody_waits_for_is_not_blamed() -> None:
    troubles = {"shop": Trouble(1e-6, 50.0), "pay": USUAL, "stock": Trouble(0.01, 60.0)}
    assert next(iter(blamed(troubles, CHAIN, {("shop", "stock"): 0.1}))) == "shop"
    assert next(iter(blamed(troubles, CHAIN, {("shop", "stock"): 1.0}))) == "stock"


def test_a_chain_of_mild_coincidences_does_not_outweigh_one_strong_cause() -> None:
    edges = [("shop", "pay"), ("shop", "a"), ("a", "b"), ("b", "c"), ("c", "d")]
    troubles = {"shop": Trouble(0.01), "pay": Trouble(1e-6), **{name: Trouble(0.01) for name in "abcd"}}
    assert next(iter(blamed(troubles, edges))) == "pay"


def test_nobody_is_likely_when_nothing_is_unusual() -> None:
    assert sum(blamed({"shop": USUAL, "pay": USUAL, "bank": USUAL, "stock": USUAL}, CHAIN).values()) < 0.5


def test_services_that_call_each_other_do_not_hang_it() -> None:
    found = blamed({"shop": STRANGE, "pay": STRANGE}, [("shop", "pay"), ("pay", "shop"), ("pay", "pay")])
    assert sum(found.values()) <= 1.0


def test_the_graph_knows_what_is_below_and_above() -> None:
    graph = call_graph(CHAIN)
    assert graph.below("pay") == {"pay", "bank"}
    assert graph.above("bank") == {"bank", "pay", "shop"}
    assert graph.below("unknown") == {"unknown"}


def test_probabilities_leave_room_for_none_of_them() -> None:
    found = blamed({"shop": STRANGE, "pay": STRANGE, "bank": STRANGE, "stock": USUAL}, CHAIN)
    assert sum(found.values()) == pytest.approx(1.0, abs=0.05)
    assert list(found.values()) == sorted(found.values(), reverse=True)
