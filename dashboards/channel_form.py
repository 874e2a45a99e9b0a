"""The form of a notification channel. A webhook's address is often a secret: it is written, never read back."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from alerts.models import Channel
from dashboards.forms import StyledModelForm
from dashboards.source_form import KEEP, address_of

MOST_RECIPIENTS = 50


def recipients_of(text: str) -> list[str]:
    """E-mail addresses, separated by commas or lines. Raises `ValidationError` naming the first that is none."""
    found = [part.strip() for part in text.replace("\n", ",").replace(";", ",").split(",") if part.strip()]
    for one in found:
        try:
            validate_email(one)
        except ValidationError:
            raise ValidationError(f"“{one}” is no e-mail address.") from None
    if len(found) > MOST_RECIPIENTS:
        raise ValidationError(f"{len(found)} recipients are too many for one channel. Use a list address.")
    return list(dict.fromkeys(found))


def hint_of(channel: Channel) -> str:
    """Where it goes, as far as a page may say: recipients, but of a webhook only its host."""
    if channel.kind == Channel.Kind.EMAIL:
        return str(channel.config.get("to", ""))
    parts = urlsplit(channel.config.get("url", ""))
    return f"{parts.scheme}://{parts.hostname}/…" if parts.hostname else "no address"


class ChannelForm(StyledModelForm[Channel]):
    url = forms.CharField(
        label="Webhook address",
        required=False,
        max_length=1000,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off", "inputmode": "url"}),
        help_text="Gets one POST with JSON for each notification.",
    )
    to = forms.CharField(
        label="Recipients",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="E-mail addresses, separated by commas.",
    )

    class Meta:
        model = Channel
        fields = ("name", "kind", "enabled")
        labels = {"enabled": "Switched on"}
        widgets = {"kind": forms.RadioSelect}

    def __init__(self, data: Mapping[str, Any] | None = None, *, instance: Channel | None = None) -> None:
        super().__init__(data, instance=instance)
        self.fields["kind"].initial = Channel.Kind.WEBHOOK
        # Django would offer an empty choice because the model has no default.
        self.fields["kind"].choices = Channel.Kind.choices  # type: ignore[attr-defined]
        self._stored = dict(instance.config) if instance else {}
        if instance and instance.kind == Channel.Kind.EMAIL:
            self.fields["to"].initial = self._stored.get("to", "")
        elif instance and self._stored.get("url"):
            self.fields["url"].help_text = f"Stored: {hint_of(instance)} {KEEP}"

    def clean_url(self) -> str:
        given = self.cleaned_data["url"].strip()
        return address_of(given) if given else ""

    def clean_to(self) -> list[str]:
        return recipients_of(self.cleaned_data["to"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        if kind == Channel.Kind.WEBHOOK and "url" in cleaned and not (cleaned["url"] or self._stored.get("url")):
            self.add_error("url", "Give the address that notifications are posted to.")
        if kind == Channel.Kind.EMAIL and "to" in cleaned and not cleaned["to"]:
            self.add_error("to", "Give at least one e-mail address.")
        return cleaned

    def save(self, commit: bool = True) -> Channel:
        if self.cleaned_data["kind"] == Channel.Kind.EMAIL:
            self.instance.config = {"to": ", ".join(self.cleaned_data["to"])}
        else:
            self.instance.config = {"url": self.cleaned_data["url"] or self._stored["url"]}
        return super().save(commit)
