"""Which part of the traffic is affected: the fewest attribute values that the bad requests share, or none of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import numpy as np
import pytest

from connectors.telemetry import to_ns
from evidence.case import Bad, Inquiry, Interval
from evidence.count_table import CountTable, Request, of_requests
from evidence.findings import Finding, NotInvestigated, Report
from evidence.segments import investigate
from evidence.wording import percent

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INQUIRY = Inquiry(
    flow="checkout",
    service="shop",
    operation="",
    bad=Bad(error=True),
    baseline=(Interval(NOON, NOON + 10 * MINUTE),),
    incident=Interval(NOON + 10 * MINUTE, NOON + 12 * MINUTE),
)
PARTS: Mapping[str, tuple[str, ...]] = {
    "region": ("eu", "us", "asia"),
    "method": ("card", "paypal", "invoice"),
    "version": ("1", "2"),
}
type Row = tuple[datetime, float, float, dict[str, str]]
type Rate = Callable[[Mapping[str, str], bool], float]


def of_rows(rows: list[Row]) -> CountTable:
    """A table of the rows, coded by way of requests."""
    coded = of_requests(Request(to_ns(time), False, attributes) for time, _, _, attributes in rows)
    return replace(coded, bad=np.array([row[1] for row in rows]), total=np.array([row[2] for row in rows]))


def counts(rate: Rate, parts: Mapping[str, tuple[str, ...]] = PARTS, each: int = 100, seed: int = 1) -> CountTable:
    """`each` requests a minute of every combination, of which a share of `rate(attributes, incident)` is bad."""
    chance = np.random.default_rng(seed)
    rows: list[Row] = []
    for minute in range(12):
        for values in product(*parts.values()):
            attributes = dict(zip(parts, values, strict=True))
            bad = float(chance.binomial(each, rate(attributes, minute >= 10)))
            rows.append((NOON + minute * MINUTE, bad, float(each), attributes))
    return of_rows(rows)


def segments(report: Report) -> list[dict[str, str]]:
    """The attributes of the segments that are believed."""
    believed = (finding for finding in report.findings if "share_of_excess" in finding.numbers)
    return [dict(finding.subject.attributes) for finding in believed if "alternative" not in finding.numbers]


def first(report: Report) -> Finding:
    return report.findings[0]


def has(attributes: Mapping[str, str], **values: str) -> bool:
    return all(attributes[name] == value for name, value in values.items())


def card(attributes: Mapping[str, str], incident: bool) -> float:
    return 0.3 if incident and has(attributes, method="card") else 0.01


def card_in_eu(attributes: Mapping[str, str], incident: bool) -> float:
    return 0.3 if incident and has(attributes, method="card", region="eu") else 0.01


def test_a_value_that_fails_is_named_without_what_else_correlates() -> None:
    assert segments(investigate(INQUIRY, counts(card))) == [{"method": "card"}]


def test_two_values_that_fail_only_together_are_named_together() -> None:
    assert segments(investigate(INQUIRY, counts(card_in_eu))) == [{"method": "card", "region": "eu"}]


def test_three_values_that_fail_only_together_are_named_together() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        return 0.3 if incident and has(attributes, method="card", region="eu", version="2") else 0.01

    assert segments(investigate(INQUIRY, counts(rate))) == [{"method": "card", "region": "eu", "version": "2"}]


def test_two_causes_at_once_are_two_segments() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        if incident and has(attributes, method="card", region="eu"):
            return 0.6
        return 0.2 if incident and has(attributes, version="2", region="us") else 0.01

    found = segments(investigate(INQUIRY, counts(rate)))
    assert found == [{"method": "card", "region": "eu"}, {"region": "us", "version": "2"}]


def test_a_segment_is_named_although_some_of_it_is_hit_harder() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        if not incident or not has(attributes, method="card"):
            return 0.01
        return {"eu": 0.35, "us": 0.25, "asia": 0.2}[attributes["region"]]

    assert segments(investigate(INQUIRY, counts(rate))) == [{"method": "card"}]


def test_what_always_fails_more_is_not_blamed() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        usual = 0.2 if has(attributes, region="asia") else 0.01
        return 0.3 if incident and has(attributes, method="card", region="eu") else usual

    assert segments(investigate(INQUIRY, counts(rate))) == [{"method": "card", "region": "eu"}]


def test_an_earlier_burst_of_the_same_fault_does_not_make_it_usual() -> None:
    burst = counts(card_in_eu)
    eu = burst.values[burst.attributes.index("region")].index("eu")
    by_card = burst.values[burst.attributes.index("method")].index("card")
    minute = (burst.time_ns - to_ns(NOON)) // 60_000_000_000
    hit = np.isin(minute, (2, 5, 6)) & (burst.codes[:, burst.attributes.index("region")] == eu)
    hit &= burst.codes[:, burst.attributes.index("method")] == by_card
    again = investigate(INQUIRY, replace(burst, bad=np.where(hit, 30.0, burst.bad)))
    assert segments(again) == [{"method": "card", "region": "eu"}]
    assert float(str(first(again).numbers["rate_before"])) < 0.02


def test_the_only_datacenter_of_a_region_is_said_to_be_the_same_requests() -> None:
    def placed() -> Iterator[Row]:
        table = counts(card_in_eu)
        for time, bad, total, codes in zip(table.time_ns, table.bad, table.total, table.codes, strict=True):
            attributes = {name: table.values[place][codes[place]] for place, name in enumerate(table.attributes)}
            at = NOON + timedelta(microseconds=int(time - to_ns(NOON)) // 1000)
            yield at, float(bad), float(total), attributes | {"datacenter": f"dc-{attributes['region']}"}

    finding = first(investigate(INQUIRY, of_rows(list(placed()))))
    assert len(finding.subject.attributes) == 2
    assert "The same requests also have" in finding.statement


def test_an_innocent_neighbour_that_is_usually_in_the_same_place_is_not_named() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        return 0.3 if incident and has(attributes, region="eu") else 0.01

    table = counts(rate, each=200)
    chance = np.random.default_rng(2)
    region = table.codes[:, table.attributes.index("region")]
    # Nine of ten rows of a region are in its own datacenter.
    datacenter = np.where(chance.random(len(table)) < 0.9, region, (region + 1) % 3).astype(np.int32)
    correlated = replace(
        table,
        codes=np.concatenate([table.codes, datacenter[:, None]], axis=1),
        attributes=(*table.attributes, "datacenter"),
        values=(*table.values, ("dc-1", "dc-2", "dc-3")),
    )
    assert segments(investigate(INQUIRY, correlated)) == [{"region": "eu"}]


def test_when_all_parts_are_hit_alike_it_is_widespread() -> None:
    report = investigate(INQUIRY, counts(lambda _, incident: 0.2 if incident else 0.01))
    assert segments(report) == []
    assert first(report).numbers["widespread"] is True
    assert first(report).statement.startswith("Widespread: no part stands out. 20 % of the requests fail, 1 % would be")


def test_a_load_that_doubles_all_failures_is_widespread_although_some_always_fail_more() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        usual = {"eu": 0.01, "us": 0.02, "asia": 0.1}[attributes["region"]]
        return usual * 3 if incident else usual

    report = investigate(INQUIRY, counts(rate))
    assert segments(report) == []
    assert first(report).numbers["widespread"] is True


def test_more_traffic_of_what_always_fails_more_is_another_mix_not_a_failure() -> None:
    table = counts(lambda attributes, _: 0.2 if has(attributes, region="asia") else 0.01)
    asia = table.values[table.attributes.index("region")].index("asia")
    grown = (table.codes[:, table.attributes.index("region")] == asia) & (
        table.time_ns >= to_ns(INQUIRY.incident.start)
    )
    factor = np.where(grown, 5.0, 1.0)
    report = investigate(INQUIRY, replace(table, bad=table.bad * factor, total=table.total * factor))
    assert segments(report) == []
    assert first(report).numbers["mix"] is True
    assert first(report).subject.attributes == {"region": "asia"}


def test_a_quiet_system_has_nothing_but_what_is_fine() -> None:
    report = investigate(INQUIRY, counts(lambda _, __: 0.01))
    assert [finding.fine for finding in report.findings] == [True]
    assert report.suspicions == ()


def test_a_few_bad_requests_are_not_enough_evidence() -> None:
    rows: list[Row] = [(NOON + minute * MINUTE, 0, 20, {"region": region}) for minute in range(10) for region in "abcd"]
    rows += [(NOON + 10 * MINUTE, 1, 10, {"region": region}) for region in "abc"]
    report = investigate(INQUIRY, of_rows(rows))
    assert segments(report) == []
    assert first(report).statement.startswith(
        "Not enough evidence to say which part is affected: 3 failed of 30 requests"
    )


def shoppers(bad: Callable[[int, str, str, bool], bool]) -> CountTable:
    """6,000 requests of 2,000 users, one after another; `bad` is asked with number, user, region and incident."""
    chance = np.random.default_rng(3)
    requests = []
    for number in range(6_000):
        at = NOON + number * timedelta(milliseconds=120)
        user, region = str(chance.integers(2_000)), str(chance.choice(["eu", "us", "asia"]))
        hit = bad(number, user, region, at >= INQUIRY.incident.start)
        attributes = {"user.id": user, "region": region, "request.id": str(number)}
        requests.append(Request(to_ns(at), hit, attributes))
    return of_requests(requests)


def test_one_user_of_thousands_does_not_win_by_chance() -> None:
    report = investigate(INQUIRY, shoppers(lambda number, _, __, incident: number % (10 if incident else 100) == 0))
    assert segments(report) == []
    assert first(report).numbers["widespread"] is True


def test_users_are_counted_when_a_region_fails() -> None:
    def bad(number: int, user: str, region: str, incident: bool) -> bool:
        return number % 200 == 0 or (incident and region == "eu" and number % 2 == 0)

    report = investigate(INQUIRY, shoppers(bad))
    assert segments(report) == [{"region": "eu"}]
    users = next(finding for finding in report.findings if finding.numbers.get("attribute") == "user.id")
    assert "users (" in users.statement
    assert 0.1 < float(str(users.numbers["share_hit"])) < 0.4


def test_a_single_user_whose_every_request_fails_is_found_among_thousands() -> None:
    def bad(number: int, user: str, region: str, incident: bool) -> bool:
        return number % 100 == 0 or (incident and number % 17 == 0)

    table = shoppers(bad)
    codes = table.codes.copy()
    place = table.attributes.index("user.id")
    number = np.arange(len(table))
    codes[number % 17 == 0, place] = table.values[place].index("42")
    assert segments(investigate(INQUIRY, replace(table, codes=codes))) == [{"user.id": "42"}]


def test_an_instance_that_fails_alone_is_suspected_and_its_likes_hardly() -> None:
    pods = {"k8s.pod.name": tuple(f"shop-{number}" for number in range(12)), "region": ("eu", "us")}
    table = counts(lambda part, incident: 0.4 if incident and has(part, **{"k8s.pod.name": "shop-3"}) else 0.01, pods)
    report = investigate(INQUIRY, table)
    assert segments(report) == [{"k8s.pod.name": "shop-3"}]
    blamed = report.suspicions[0]
    assert (blamed.service, blamed.instance, blamed.kind) == ("shop", "shop-3", "resource")
    assert len(report.suspicions) == 10
    assert report.suspicions[1].score < 0.1 < 0.5 < blamed.score
    assert any(finding.statement.startswith("1 of 12 pods (8.3 %") for finding in report.findings)


def test_a_version_that_fails_is_suspected_as_a_change() -> None:
    parts = {"service.version": ("1", "2"), "region": ("eu", "us")}
    table = counts(lambda part, incident: 0.4 if incident and has(part, **{"service.version": "2"}) else 0.01, parts)
    assert [suspicion.kind for suspicion in investigate(INQUIRY, table).suspicions] == ["change"]


def test_the_sentence_says_support_rates_and_what_was_usual() -> None:
    rows: list[Row] = []
    for minute in range(12):
        for method, region in product(("card", "cash"), ("eu", "us")):
            hit = minute >= 10 and (method, region) == ("card", "eu")
            total = 100 if (method, region) == ("card", "eu") else 300
            rows.append((NOON + minute * MINUTE, 46 if hit else 1, total, {"method": method, "region": region}))
    finding = first(investigate(INQUIRY, of_rows(rows)))
    assert finding.statement == (
        "94 % of the failed requests have method=card and region=eu (10 % of all requests); "
        "46 % of those fail (before: 1 %), 0.33 % of the others."
    )
    assert finding.numbers["share_of_bad"] == pytest.approx(92 / 98)
    assert finding.numbers["lift"] == pytest.approx(9.39, abs=0.01)


def test_a_slow_request_is_called_slow() -> None:
    slow = replace(INQUIRY, bad=Bad(slower_than=timedelta(seconds=1)))
    assert "of the slow requests" in first(investigate(slow, counts(card))).statement


def test_what_never_was_before_is_said_to_be_new() -> None:
    def rate(attributes: Mapping[str, str], incident: bool) -> float:
        return 0.3 if incident and has(attributes, version="2") else 0.01

    table = counts(rate)
    new = table.codes[:, table.attributes.index("version")] == table.values[table.attributes.index("version")].index(
        "2"
    )
    report = investigate(INQUIRY, table.where(~new | (table.time_ns >= to_ns(INQUIRY.incident.start))))
    assert segments(report) == [{"version": "2"}]
    assert "(there were none before)" in first(report).statement


def test_findings_are_ranked_strictly_and_alternatives_are_marked() -> None:
    report = investigate(INQUIRY, counts(card_in_eu))
    scores = [finding.score for finding in report.findings]
    assert all(better > worse for better, worse in pairwise(scores))
    assert len([finding for finding in report.findings if finding.numbers.get("alternative")]) == 5


def test_an_attribute_that_is_not_known_everywhere_still_tells() -> None:
    table = counts(card)
    codes = table.codes.copy()
    codes[::3, table.attributes.index("region")] = -1
    assert segments(investigate(INQUIRY, replace(table, codes=codes))) == [{"method": "card"}]


def test_order_and_names_of_attributes_do_not_matter() -> None:
    table = counts(card_in_eu)
    turned = replace(
        table,
        codes=np.ascontiguousarray(table.codes[::-1, ::-1]),
        time_ns=table.time_ns[::-1],
        bad=table.bad[::-1],
        total=table.total[::-1],
        attributes=table.attributes[::-1],
        values=table.values[::-1],
    )
    assert segments(investigate(INQUIRY, turned)) == segments(investigate(INQUIRY, table))


def test_without_a_baseline_there_is_nothing_to_compare() -> None:
    table = counts(card)
    with pytest.raises(NotInvestigated, match="baseline"):
        investigate(INQUIRY, table.where(table.time_ns >= to_ns(INQUIRY.incident.start)))


def test_without_attributes_no_part_can_be_told_from_another() -> None:
    bare = of_requests([Request(to_ns(NOON + minute * MINUTE), False) for minute in range(12)])
    with pytest.raises(NotInvestigated, match="told apart"):
        investigate(INQUIRY, bare)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.00001, "less than 0.01 %"),
        (0.002, "0.2 %"),
        (0.0731, "7.3 %"),
        (0.0999, "10 %"),
        (0.317, "32 %"),
        (0.996, "more than 99 %"),
        (1.0, "100 %"),
    ],
)
def test_shares_are_said_in_two_digits_and_never_as_all_or_nothing(share: float, text: str) -> None:
    assert percent(share) == text
