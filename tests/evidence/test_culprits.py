from itertools import pairwise

import pytest

from evidence import culprits
from evidence.findings import Finding, Report, Suspicion


def ranked(seen: tuple[str, ...] = (), **suspicions: list[Suspicion]) -> list[tuple[str, str]]:
    reports = {name: Report(suspicions=tuple(found)) for name, found in suspicions.items()}
    return [(one.service, one.kind) for one in culprits.ranked(reports, seen)]


def test_two_who_agree_are_stronger_than_one_who_is_surer():
    found = ranked(
        spans=[Suspicion("pay", "code", 0.5)], logs=[Suspicion("pay", "code", 0.5), Suspicion("stock", "code", 0.6)]
    )
    assert found[0] == ("pay", "code")


def test_what_one_investigator_says_twice_counts_once():
    twice = [Suspicion("pay", "code", 0.5, "a"), Suspicion("pay", "code", 0.5, "b")]
    assert ranked(spans=twice, logs=[Suspicion("stock", "code", 0.6)])[0] == ("stock", "code")


def test_a_request_that_fails_weighs_more_than_a_metric_that_is_odd():
    found = ranked(dependencies=[Suspicion("bank", "dependency", 0.8)], saturation=[Suspicion("pay", "resource", 0.9)])
    assert found[0] == ("bank", "dependency")


def test_a_change_stands_beside_the_service_that_it_changed():
    found = ranked(spans=[Suspicion("pay", "code", 0.9)], changes=[Suspicion("pay", "change", 0.8)])
    assert found == [("pay", "code"), ("pay", "change")]


def test_services_without_evidence_fill_up_the_list():
    found = ranked(seen=tuple("abcdefghijklm"), spans=[Suspicion("pay", "code", 0.9)])
    assert len(found) == 10
    assert found[0] == ("pay", "code")


def test_nobody_is_named_when_nobody_is_suspected():
    assert ranked(seen=("a", "b"), spans=[]) == []


def test_scores_fall_strictly_and_add_up_to_one_at_most():
    suspected = [Suspicion(name, "code", 0.7) for name in ("a", "b", "c")]
    found = culprits.ranked({"spans": Report(suspicions=tuple(suspected))}, ("d", "e"))
    scores = [one.score for one in found]
    assert all(higher > lower for higher, lower in pairwise(scores))
    assert sum(scores) == pytest.approx(1, abs=0.01)


def mixed(part: float, *suspicions: Suspicion) -> list[str]:
    mix = Finding("segments", "The mix has changed.", part, 0.8, numbers={"mix": True})
    reports = {"segments": Report((mix,)), "logs": Report(suspicions=suspicions)}
    return [one.service for one in culprits.ranked(reports)]


def test_nobody_is_blamed_where_another_mix_of_requests_explains_the_trouble():
    assert mixed(0.95, Suspicion("pay", "code", 0.9)) == []


def test_who_is_to_blame_for_the_half_that_another_mix_leaves_is_named():
    assert mixed(0.5, Suspicion("pay", "code", 0.9)) == ["pay"]


def test_nobody_is_named_for_what_is_only_a_little_odd():
    assert ranked(saturation=[Suspicion("pay", "resource", 0.1)]) == []
