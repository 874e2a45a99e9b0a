"""Is it widespread or isolated? How many parts, users, tenants and instances are hit; whether the mix has changed."""

import math
from dataclasses import dataclass

import numpy as np

from evidence.case import Mask
from evidence.count_table import NOT_KNOWN, CountTable, Floats
from evidence.findings import Finding, Number, Subject
from evidence.leaves import Leaves
from evidence.localization import LEAST_EVIDENCE
from evidence.wording import Words, percent

# What one instance, user, tenant … is called. OpenTelemetry's names, then those that many people use.
INSTANCES = {
    "service.instance.id": "instance",
    "k8s.pod.name": "pod",
    "k8s.pod.uid": "pod",
    "k8s.node.name": "node",
    "container.id": "container",
    "host.name": "host",
    "host.id": "host",
    "instance": "instance",
    "pod": "pod",
    "host": "host",
    "node": "node",
}
ENTITIES = {
    "user.id": "user",
    "enduser.id": "user",
    "user_id": "user",
    "user": "user",
    "customer.id": "customer",
    "customer_id": "customer",
    "account.id": "account",
    "account_id": "account",
    "session.id": "session",
    "tenant": "tenant",
    "tenant.id": "tenant",
    "tenant_id": "tenant",
    **INSTANCES,
}
# What is said instead of a segment scores at least this.
LEAST_SCORE = 0.2
# Fewer additional bad events cannot show that every part is hit alike.
LEAST_WIDESPREAD = 20
# A value has enough traffic to say whether it is hit when so many additional bad events would be due to it.
LEAST_DUE = 5
# More bad events than this many standard deviations above what is usual are more than usual.
DEVIATIONS = 2.0
# From so many bad events on, that chance no longer depends on how many there are.
MANY = 50.0
# The whole traffic's rate has to move further than this to have moved at all.
WHOLE_DEVIATIONS = 3.0


def spread(counts: CountTable, parts: Leaves, rise: float, words: Words) -> list[Finding]:
    """What there is to say when no part stands out: another mix, widespread, too little to tell, or nothing at all.

    `rise` is `Localization.rise`.
    """
    mix = _mix(counts, parts, words)
    if mix:
        return [mix]
    bad, expected = float(parts.bad.sum()), float(parts.expected.sum())
    if rise >= LEAST_EVIDENCE and bad - expected >= LEAST_WIDESPREAD:
        return [_widespread(counts, parts, words)]
    numbers: dict[str, Number] = {"bad": bad, "total": float(parts.total.sum()), "expected_bad": expected}
    noise = math.sqrt(expected * (1 + float(parts.total.sum() / parts.total_before.sum())))
    if bad and (rise >= LEAST_EVIDENCE or bad > expected + WHOLE_DEVIATIONS * noise):
        statement = (
            f"Not enough evidence to say which part is affected: {bad:.0f} {words.bad} of {parts.total.sum():.0f} "
            f"requests, {expected:.1f} would be usual."
        )
        return [Finding("segments", statement, score=LEAST_SCORE, confidence=0.5, numbers=numbers)]
    statement = (
        f"No part of the traffic has more {words.bad} requests than usual ({bad:.0f}, usual are {expected:.1f})."
    )
    return [Finding("segments", statement, score=0.0, confidence=0.8, numbers=numbers, fine=True)]


def _widespread(counts: CountTable, parts: Leaves, words: Words) -> Finding:
    hit, large = _values_hit(parts)
    rate, usual = float(parts.bad.sum() / parts.total.sum()), float(parts.expected.sum() / parts.total.sum())
    names = [name for name, seen in zip(counts.attributes, parts.seen, strict=True) if seen > 1]
    statement = (
        f"Widespread: no part stands out. {percent(rate)} of the requests {words.fail}, {percent(usual)} would be "
        f"usual; of {large} values of {', '.join(names) or 'any attribute'} with enough traffic to tell, {hit} are hit."
    )
    numbers: dict[str, Number] = {
        "widespread": True,
        "rate": rate,
        "expected_rate": usual,
        "values_hit": hit,
        "values_with_enough_traffic": large,
    }
    share = hit / large if large else 0.0
    return Finding("segments", statement, max(share, LEAST_SCORE), 0.3 + 0.6 * share, numbers=numbers)


def _values_hit(parts: Leaves) -> tuple[int, int]:
    """How many single values have more bad events than usual, of those with traffic enough to tell."""
    hit = large = 0
    rise = (parts.bad.sum() - parts.expected.sum()) / parts.total.sum()
    for column in parts.codes.T:
        known = column != NOT_KNOWN
        bad, usual, total = (_by_code(column, numbers, known) for numbers in (parts.bad, parts.expected, parts.total))
        enough = total * rise >= LEAST_DUE
        large += int(enough.sum())
        hit += int((_more_than_usual(bad, usual) & enough).sum())
    return hit, large


def _by_code(column: np.ndarray[tuple[int, ...], np.dtype[np.int32]], numbers: Floats, known: Mask) -> Floats:
    return np.bincount(column[known], numbers[known])


def _more_than_usual(bad: Floats, usual: Floats) -> Mask:
    more: Mask = (bad > 0) & (bad > usual + DEVIATIONS * np.sqrt(usual))
    return more


def _mix(counts: CountTable, parts: Leaves, words: Words) -> Finding | None:
    """Whether more is bad because parts that always fail more have a larger share of the traffic.

    Said when at the baseline's rates today's mix alone explains at least half of the rise.
    """
    total, total_before = float(parts.total.sum()), float(parts.total_before.sum())
    rate, before = float(parts.bad.sum()) / total, float(parts.bad_before.sum()) / total_before
    mixed = float(parts.expected.sum()) / total
    noise = WHOLE_DEVIATIONS * math.sqrt(before * (1 - before) * (1 / total + 1 / total_before)) + 1 / total
    grown = _grown(counts, parts)
    if grown is None or rate - before < noise or mixed - before < max(noise, (rate - before) / 2):
        return None
    name = f"{grown.attribute}={grown.value}"
    statement = (
        f"The mix of the traffic has changed, not how its parts {words.fail.removeprefix('are ')}: {name} is "
        f"{percent(grown.share)} of the requests ({percent(grown.share_before)} before), and {percent(grown.rate)} of "
        f"those {words.fail} at other times too."
    )
    numbers: dict[str, Number] = {
        "mix": True,
        "rate": rate,
        "rate_before": before,
        "rate_of_this_mix_before": mixed,
        "share_of_traffic": grown.share,
        "share_of_traffic_before": grown.share_before,
    }
    subject = Subject(attributes={grown.attribute: grown.value})
    return Finding("segments", statement, min((mixed - before) / (rate - before), 1.0), 0.8, subject, numbers)


@dataclass(frozen=True, slots=True)
class _Grown:
    """A value whose share of the traffic has grown, and its usual rate; `added` is what this adds to the whole rate."""

    attribute: str
    value: str
    share_before: float
    share: float
    rate: float
    added: float


def _grown(counts: CountTable, parts: Leaves) -> _Grown | None:
    """The value that adds most bad events by having a larger share of the traffic."""
    overall = float(parts.expected.sum() / parts.total.sum())
    found: list[_Grown] = []
    for place, column in enumerate(parts.codes.T):
        known = column != NOT_KNOWN
        before, now, usual = (
            _by_code(column, numbers, known) for numbers in (parts.total_before, parts.total, parts.expected)
        )
        gained = now / parts.total.sum() - before / parts.total_before.sum()
        rates = usual / np.maximum(now, 1e-9)
        added = np.where((now > 0) & (gained > 0), gained * (rates - overall), 0.0)
        code = int(np.argmax(added)) if len(added) else -1
        if code >= 0 and added[code] > 0:
            share = float(now[code] / parts.total.sum())
            named = counts.attributes[place], counts.values[place][code]
            found.append(_Grown(*named, share - float(gained[code]), share, float(rates[code]), float(added[code])))
    return max(found, key=lambda grown: grown.added, default=None)


def entities(now: CountTable, parts: Leaves, words: Words) -> list[Finding]:
    """For users, tenants, instances …: how many of them are hit. `now` are the incident's counts."""
    if parts.bad.sum() <= parts.expected.sum():
        return []
    usual = float(parts.expected.sum() / parts.total.sum())
    places = [place for place, name in enumerate(now.attributes) if name in ENTITIES]
    return [finding for place in places if (finding := _entity(now, place, usual, words))]


def _entity(now: CountTable, place: int, usual: float, words: Words) -> Finding | None:
    codes, name = now.codes[:, place], now.attributes[place]
    known = codes != NOT_KNOWN
    bad, total = _by_code(codes, now.bad, known), _by_code(codes, now.total, known)
    seen = int((total > 0).sum())
    hit = np.flatnonzero(_more_than_usual(bad, usual * total))
    if seen < 2 or not len(hit):
        return None
    by_chance = float(_chance_of_more(usual * total[total > 0]).mean())
    which = ": " + ", ".join(now.values[place][code] for code in hit) if len(hit) <= 2 else ""
    statement = (
        f"{len(hit)} of {seen} {ENTITIES[name]}s ({percent(len(hit) / seen)}, by chance {percent(by_chance)}) have "
        f"more {words.bad} requests than usual{which}."
    )
    numbers: dict[str, Number] = {
        "attribute": name,
        "hit": len(hit),
        "seen": seen,
        "share_hit": len(hit) / seen,
        "share_hit_by_chance": by_chance,
    }
    return Finding("segments", statement, score=0.15, confidence=0.8, numbers=numbers)


def _chance_of_more(usual: Floats) -> Floats:
    """How likely each one has more bad events than usual by chance (Poisson; far above zero, normal)."""
    few = np.minimum(usual, MANY)
    least = np.floor(few + DEVIATIONS * np.sqrt(few)) + 1
    term, below = np.exp(-few), np.zeros_like(few)
    for count in range(int(least.max(initial=0))):
        below += np.where(count < least, term, 0.0)
        term = term * few / (count + 1)
    chance: Floats = np.maximum(1 - below, 0.0)
    return chance
