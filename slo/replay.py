"""What an objective's alerts did, or would have done, over a history; and why at one instant of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from slo.definition import Definition
from slo.history import History
from slo.judgement import Judged, Rule, Seen, judge, pages, rules, tickets
from slo.judgement import step as judge_all
from slo.screening import Screen, instants
from slo.states import AlertState, State
from slo.tiers import Tier


@dataclass(frozen=True, slots=True)
class Event:
    """A rule changed its state."""

    at: datetime
    rule: Rule
    old: State
    new: State
    reason: str
    reading: Seen
    # A ticket that changed while a page of the same objective fired: shown, but nobody is told.
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """What every rule saw and decided at one instant."""

    at: datetime
    judged: tuple[Judged, ...]


def replay(
    definition: Definition, history: History, start: datetime, end: datetime, step: timedelta | None = None
) -> list[Event]:
    """Every change of state after `start` until `end`, in order, with all rules inactive at first.

    The same as `judgement.step` at the end of each slice (or at every `step` from `start`), but instants at which
    nothing can change are passed over in bulk.
    """
    screen = Screen(definition, history, instants(history, start, end, step))
    events = [event for rule in rules(definition) for event in _events(definition, history, rule, screen)]
    return list(_silenced(sorted(events, key=attrgetter("at"))))


def why(definition: Definition, history: History, at: datetime) -> Account:
    """What every rule saw and decided at the last end of a slice at or before `at`.

    The states it met come from all of the history until then. Raises `ValueError` for a time before its first slice.
    """
    ends = [mark.at for mark in history.marks if mark.at <= at and mark.at != history.begins]
    if not ends:
        raise ValueError("Nothing had been measured yet at that time. Choose a later one.")
    screen = Screen(definition, history, ends[:-1])
    before = {rule: _state(definition, history, rule, screen, ends[:-1]) for rule in rules(definition)}
    return Account(ends[-1], tuple(judge_all(definition, history, ends[-1], before)))


def _events(definition: Definition, history: History, rule: Rule, screen: Screen) -> Iterator[Event]:
    for state, at in screen.changes(rule):
        one = judge(definition, history, rule, state, at)
        yield Event(at, rule, one.old.state, one.state.state, one.reason, one.reading)


def _silenced(events: Sequence[Event]) -> Iterator[Event]:
    """The events, in order, with those of tickets marked that happened while a page fired, or began to."""
    firing = dict[Rule, bool]()
    for _, group in groupby(events, key=attrgetter("at")):
        together = list(group)
        firing |= {one.rule: one.new == "firing" for one in together if pages(one.rule)}
        yield from (replace(one, silenced=tickets(one.rule) and any(firing.values())) for one in together)


def _state(
    definition: Definition, history: History, rule: Rule, screen: Screen, ends: Sequence[datetime]
) -> AlertState:
    """The rule's state after it was shown the slices that ended at `ends`."""
    changes = list(screen.changes(rule))
    if not changes:
        return AlertState()
    last, at = changes[-1]
    state = judge(definition, history, rule, last, at).state
    if state.state != "firing" or not isinstance(rule, Tier):
        return state
    # Had it been calm before that, it would have resolved.
    since = ends[-1] - definition.policy.hold_for(rule)
    recent = [end for end in ends if end > at]
    first = max((n for n, end in enumerate(recent) if end <= since), default=0)
    for end in recent[first:]:
        state = judge(definition, history, rule, state, end).state
    return state
