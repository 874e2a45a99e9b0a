"""Why an objective's alerts did (not) fire at a moment: replayed from its ledger, beside what was recorded then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from alerts.models import Transition
from dashboards import moments
from slo import ledger, replay
from slo.definition import Definition
from slo.definitions import definition_of, rule_of
from slo.judgement import Judged
from slo.models import AlertRule, Ledger, Objective
from slo.states import Reading, lowest_burn


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule at that moment: what follows from the ledger, and what its alert had done by then."""

    row: AlertRule
    judged: Judged
    # The lowest burn rate over the long window that its counts allow with the objective's confidence; `None` if no
    # confidence is asked for, and for other rules than tiers.
    bound: float | None
    # The last recorded change of its state until then; `None` if there was none.
    recorded: Transition | None

    @property
    def state(self) -> str:
        return self.judged.state.state

    @property
    def differs(self) -> bool:
        """Whether the alert was in another state than the ledger and the present definition say."""
        was_firing = self.recorded is not None and self.recorded.new == "firing"
        return was_firing != (self.state == "firing")


@dataclass(frozen=True, slots=True)
class Why:
    """Every rule of one group of an objective at the end of a slice."""

    at: datetime
    book: Ledger
    maintenance: bool
    tiers: tuple[Verdict, ...]
    notices: tuple[Verdict, ...]

    @property
    def differs(self) -> bool:
        return any(one.differs for one in (*self.tiers, *self.notices))


def why(book: Ledger, at: datetime) -> Why:
    """Raises `ValueError`, with a sentence, for a time before the first slice."""
    objective = book.objective
    rows = list(objective.rules.active())
    if book.begins is None or at <= book.begins:
        raise ValueError(_too_early(objective))
    # All of the ledger: a state is what its past has made of it.
    history = ledger.history(book, book.begins, at)
    definition = definition_of(objective, rows)
    account = replay.why(definition, history, at)
    recorded = _recorded(rows, book.group, account.at)
    by_rule = {rule_of(row): row for row in rows}
    found = [
        Verdict(row := by_rule[one.rule], one, _bound(one, definition), recorded.get(row.pk)) for one in account.judged
    ]
    return Why(
        account.at,
        book,
        history.in_maintenance(account.at),
        tuple(one for one in found if one.row.kind == AlertRule.Kind.BURN),
        tuple(one for one in found if one.row.kind != AlertRule.Kind.BURN),
    )


def _bound(one: Judged, definition: Definition) -> float | None:
    if not isinstance(one.reading, Reading):
        return None
    return lowest_burn(one.reading.long, definition.target, definition.policy)


def _recorded(rows: Sequence[AlertRule], group: str, at: datetime) -> dict[int, Transition]:
    found = Transition.objects.filter(alert__tier__in=rows, alert__group=group, at__lte=at).select_related("alert")
    return {one.alert.tier_id: one for one in found.order_by("at")}


def _too_early(objective: Objective) -> str:
    if objective.measured_from is None:
        return "Nothing is measured yet. Ask again when the first slices have arrived."
    return "Nothing was measured at that time. Choose a later one: the ledger begins after it."


# -- The page, and the part of it that answers
@require_GET
@never_cache
def page(request: HttpRequest, pk: int) -> HttpResponse:
    context = _context(request, pk)
    return render(request, "objective_why.html", context, status=422 if context["problem"] else 200)


@require_GET
@never_cache
def account(request: HttpRequest, pk: int) -> HttpResponse:
    context = _context(request, pk)
    return render(request, "objective_why.html#account", context, status=422 if context["problem"] else 200)


def _context(request: HttpRequest, pk: int) -> dict[str, Any]:
    objective = get_object_or_404(Objective.objects.select_related("flow", "source"), pk=pk)
    zone, typed = request.GET.get("zone", "UTC"), request.GET.get("at", "")
    group = request.GET.get("group", "").replace("\0", "")
    books = ledger.books(objective)
    book = next((one for one in books if one.group == group), books[0] if books else None)
    context: dict[str, Any] = {
        "objective": objective,
        "flow": objective.flow,
        "books": books,
        "group": book.group if book else "",
        "typed": typed,
        "zone": zone,
        "why": None,
        "problem": "",
    }
    try:
        at = moments.read(typed, zone) if typed else objective.measured_until or timezone.now()
        context["typed"], context["at"] = moments.written(at, zone), at
        if book is None:
            raise ValueError(_too_early(objective))
        context["why"] = why(book, at)
    except ValueError as error:
        context["problem"] = str(error)
    return context
