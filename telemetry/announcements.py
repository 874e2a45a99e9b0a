"""Changes that are announced from outside: checked field by field, stored once however often they are sent."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.dateparse import parse_datetime

from telemetry.models import Change

if TYPE_CHECKING:
    _ChangeForm = forms.ModelForm[Change]
else:
    _ChangeForm = forms.ModelForm

AHEAD = timedelta(hours=1)
_ATTRIBUTES = 50


class Invalid(Exception):
    """The announcement cannot be stored. `errors` has sentences by field; "" is the body as a whole."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(sentence for sentences in errors.values() for sentence in sentences))
        self.errors = errors


class _Form(_ChangeForm):
    """Kind, texts and address; time and attributes have their own rules below."""

    class Meta:
        model = Change
        fields = ("kind", "title", "service", "version", "url", "external_id")
        error_messages = {
            "title": {"required": "Say what changed in `title`, e.g. “checkout 2.4.1”."},
            "kind": {"invalid_choice": "`kind` must be one of deploy, flag, config, other."},
            "url": {"invalid": "`url` must be a whole address, e.g. https://ci.example.org/build/7."},
        }

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.fields["external_id"].required = False

    def validate_unique(self) -> None:
        """A known external id is not an error: the change is simply known."""


def record(body: bytes, now: datetime) -> tuple[Change, bool]:
    """Store the change that a JSON body announces; answers it, and whether it is new. Raises `Invalid`."""
    data = _object(body)
    form = _Form({"kind": Change.Kind.DEPLOY, **_texts(data)})
    errors = {name: [str(sentence) for sentence in sentences] for name, sentences in form.errors.items()}
    at, errors["at"] = _time(data.get("at"), now)
    errors["attributes"] = _objections(data.get("attributes", {}))
    errors = {name: sentences for name, sentences in errors.items() if sentences}
    if errors:
        raise Invalid(errors)
    values = form.cleaned_data | {"at": at, "attributes": _clean(data.get("attributes", {}))}
    external_id = values.pop("external_id") or _name(values)
    return Change.objects.get_or_create(external_id=external_id, defaults=values)


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Invalid({"": [f"The body is not JSON: {str(error)[:200]}"]}) from None
    if not isinstance(data, dict):
        raise Invalid({"": ['The body must be a JSON object, e.g. {"title": "checkout 2.4.1"}.']})
    return data


def _texts(data: dict[str, Any]) -> dict[str, str]:
    """The form's fields as text. NUL and half surrogates become question marks, which every database can store."""
    known = {name: data[name] for name in _Form.Meta.fields if data.get(name) is not None}
    return {name: _plain(str(value)) for name, value in known.items()}


def _plain(text: str) -> str:
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


def _time(value: Any, now: datetime) -> tuple[datetime, list[str]]:
    """When it happened, now if nobody says, and what is wrong with what they said."""
    if value is None:
        return now, []
    hint = "`at` must be a time with its zone, e.g. 2026-03-01T14:03:00Z, or Unix seconds."
    try:
        at = _moment(value)
    except (ValueError, OverflowError, OSError):
        return now, [hint]
    if at is None:
        return now, [hint]
    if at > now + AHEAD:
        return now, ["`at` is more than an hour ahead of Fireline's clock. Announce a change when it happens."]
    return at, []


def _moment(value: Any) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    at = parse_datetime(value) if isinstance(value, str) else None
    # Kept in UTC, where the first hours of the year 1 in the east are before all time: an OverflowError at once.
    return at.astimezone(UTC) if at and at.tzinfo else None


def _objections(attributes: Any) -> list[str]:
    if not isinstance(attributes, dict):
        return ["`attributes` must be an object of names and values."]
    if len(attributes) > _ATTRIBUTES:
        return [f"`attributes` has {len(attributes)} entries; at most {_ATTRIBUTES} are kept."]
    if not all(isinstance(value, str | int | float | bool) for value in attributes.values()):
        return ["Each value of `attributes` must be a text, a number, true or false."]
    return []


def _clean(attributes: dict[str, Any]) -> dict[str, Any]:
    return {_plain(name)[:200]: _plain(str(value))[:500] for name, value in attributes.items()}


def _name(values: dict[str, Any]) -> str:
    """What identifies a change whose sender gave it no name of its own: all that was said about it."""
    said = json.dumps([str(values[name]) for name in ("kind", "title", "service", "version", "url", "at")])
    return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"
