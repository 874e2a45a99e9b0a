import random
from itertools import pairwise

from evidence.findings import Suspicion
from evidence.request_ranking import fuse, rank
from tests.evidence.traffic import Step, about, call, make_inquiry, services, traffic


def wide(drawn: random.Random, bank: float = 10) -> Step:
    """web calls twelve services one after the other, and one of them calls bank."""
    others = tuple(call("web", Step(f"s{number}", "work", own=about(drawn, 5))) for number in range(11))
    pay = Step("pay", "charge", (call("pay", Step("bank", "authorize", own=about(drawn, bank))),))
    return Step("web", "POST /checkout", (*others, call("web", pay)))


def test_at_least_ten_candidates_are_named_and_the_culprit_first():
    ranked = rank(make_inquiry(), traffic(wide, lambda drawn: wide(drawn, 500)).table())
    assert len(ranked) >= 10
    assert ranked[0].service == "bank"
    assert len(set(services(ranked))) == len(ranked)


def test_scores_fall_strictly():
    ranked = rank(make_inquiry(), traffic(wide, lambda drawn: wide(drawn, 500)).table())
    scores = [one.score for one in ranked]
    assert all(higher > lower for higher, lower in pairwise(scores))


def test_nobody_is_named_on_a_quiet_system():
    assert rank(make_inquiry(), traffic(wide, wide).table()) == []


def test_what_others_suspect_counts_as_well():
    spans = traffic(wide, wide).table()
    assert rank(make_inquiry(), spans, others=[Suspicion("s3", "resource", 0.7, resource="cpu")])[0].service == "s3"


def test_two_who_agree_are_stronger_than_one_who_is_surer():
    spans = traffic(wide, wide).table()
    agreed = fuse(
        [[Suspicion("pay", "code", 0.5)], [Suspicion("pay", "code", 0.5), Suspicion("s1", "code", 0.6)]], spans
    )
    assert services(agreed)[:2] == ["pay", "s1"]
