"""Bringing archived flows and objectives back: nobody deletes history, so nothing is ever gone."""

from django.core.exceptions import ValidationError

from slo.models import Flow, Objective


def bring_back(row: Flow | Objective) -> str:
    """Make it active again; a sentence says why not, when another one took its name meanwhile."""
    model = type(row)
    revived = model._default_manager.get(pk=row.pk)
    revived.archived_at = None
    try:
        revived.validate_constraints()
    except ValidationError as error:
        return " ".join(error.messages)
    model._default_manager.filter(pk=row.pk).update(archived_at=None)
    return ""
