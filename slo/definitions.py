"""From stored objectives to what the engine computes with, and back: the one place that writes definitions."""

from collections.abc import Iterable
from typing import cast

from django.db import transaction
from django.utils import timezone

from slo.counting import Kind, Sli, matchers_of
from slo.models import AlertRule, Objective, Slice
from slo.tiers import Severity, Tier

# What says which events count; when it changes, earlier slices counted something else.
SLI_FIELDS = (
    "source_id",
    "kind",
    "metric",
    "matchers",
    "bad_matchers",
    "threshold",
    "bad_expression",
    "total_expression",
)
_EDITED = ("flow", "name", "source", *SLI_FIELDS[1:], "target", "window", "archived_at")


def sli_of(objective: Objective) -> Sli:
    """How the objective counts. Raises `ValueError` for matchers that no form lets through."""
    return Sli(
        kind=cast(Kind, str(objective.kind)),
        metric=objective.metric,
        matchers=matchers_of(objective.matchers),
        bad_matchers=matchers_of(objective.bad_matchers),
        threshold=objective.threshold,
        bad_expression=objective.bad_expression,
        total_expression=objective.total_expression,
    )


def tier_of(row: AlertRule) -> Tier:
    return Tier(cast(Severity, str(row.severity)), row.long, row.short, row.budget_share)


def tiers_of(objective: Objective) -> list[Tier]:
    """The tiers in use, pages first, the fastest first."""
    return [tier_of(row) for row in objective.tiers.filter(archived_at=None)]


def restarts_ledger(before: Objective, after: Objective) -> bool:
    """Whether saving `after` over `before` means to measure anew: other events count, or a longer window needs more."""
    changed = any(getattr(before, field) != getattr(after, field) for field in SLI_FIELDS)
    return changed or after.window > before.window


@transaction.atomic
def save_objective(objective: Objective, tiers: Iterable[Tier]) -> Objective:
    """Create or change an objective together with its tiers.

    Tiers that are no longer among `tiers` are archived with their history. When other events count than before, or
    the window grew, the ledger is dropped and measured anew from the store's history.
    """
    if objective._state.adding:
        objective.save()
    else:
        _change(objective)
    _replace_tiers(objective, tuple(dict.fromkeys(tiers)))
    return objective


def _change(objective: Objective) -> None:
    # Locks the row, where the database can: a worker that appends meanwhile waits, then finds another generation.
    before = Objective.objects.select_for_update().get(pk=objective.pk)
    # Only what a form edits: the worker moves the other fields, perhaps since this instance was loaded.
    objective.save(update_fields=_EDITED)
    if restarts_ledger(before, objective):
        restart_ledger(objective)


def restart_ledger(objective: Objective) -> None:
    """Forget what was measured, so that it is measured anew from the start of the window."""
    objective.measured_until, objective.generation = None, objective.generation + 1
    objective.last_error, objective.last_error_at = "", None
    with transaction.atomic():
        objective.save(update_fields=["measured_until", "generation", "last_error", "last_error_at"])
        Slice.objects.filter(objective=objective).delete()


def _replace_tiers(objective: Objective, tiers: tuple[Tier, ...]) -> None:
    present = {tier_of(row): row for row in objective.tiers.filter(archived_at=None)}
    gone = [row.pk for tier, row in present.items() if tier not in tiers]
    objective.tiers.filter(pk__in=gone).update(archived_at=timezone.now())
    AlertRule.objects.bulk_create(_row(objective, tier) for tier in tiers if tier not in present)


def _row(objective: Objective, tier: Tier) -> AlertRule:
    return AlertRule(
        objective=objective,
        severity=tier.severity,
        long=tier.long,
        short=tier.short,
        budget_share=tier.budget_share,
    )
