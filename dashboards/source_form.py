"""The form of a telemetry store. What is secret is written, never read back: left empty, it stays as it is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError

from connectors import egress
from connectors.errors import StoreError
from dashboards.forms import StyledModelForm
from telemetry.links import unknown_places
from telemetry.models import ROLES, Source

LONGEST_TIMEOUT = 60
KEEP = "Left empty, what is stored stays."
_SECRET = {"autocomplete": "off", "spellcheck": "false"}


def address_of(text: str) -> str:
    """An http(s) address that Fireline may ask. Raises `ValidationError` with what is wrong."""
    if not _is_address(text):
        raise ValidationError("This is no address. It starts with http:// or https://, then a host, perhaps a port.")
    if "@" in urlsplit(text).netloc:
        raise ValidationError("Take the name and password out of the address: it is shown on pages and in logs.")
    try:
        egress.check(text, settings.INTERNAL_ADDRESSES)
    except StoreError as error:
        raise ValidationError(str(error)) from None
    return text


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        return parts.scheme in ("http", "https") and bool(host.encode("idna")) and parts.port != 0
    except ValueError:  # a port that is no number, a host name with an empty or an endless part
        return False


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


def headers_of(text: str) -> dict[str, str]:
    """Lines of `Name: value`. Raises `ValidationError` naming the first line that is none."""
    headers = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or any(c.isspace() for c in name.strip()) or not value.strip():
            raise ValidationError(f"Line {number} is no header. Write it as Name: value.")
        headers[name.strip()] = value.strip()
    return headers


# Those that people add; the embedded store is always there.
KINDS = [choice for choice in Source.Kind.choices if choice[0] != Source.Kind.EMBEDDED]
WHERE = (
    "The root of its API, without /api/v1 and the like: http://prometheus:9090, http://tempo:3200, http://jaeger:16686,"
    " http://loki:3100, http://victorialogs:9428, http://elasticsearch:9200, http://clickhouse:8123."
)
LINK = (
    "Where its own pages show a trace, in Grafana or Kibana for example. {trace_id}, {service}, {from} and {to} are"
    " filled in, the times as Unix milliseconds; {from_iso} and {to_iso} are dates, {url} is the address above."
    " Empty: the store’s own page, where it has one (Jaeger, VictoriaLogs)."
)


class SourceForm(StyledModelForm[Source]):
    kind = forms.ChoiceField(choices=KINDS, required=False, initial=Source.Kind.PROMETHEUS)
    username = forms.CharField(label="User name", required=False, max_length=200, widget=forms.TextInput(attrs=_SECRET))
    password = forms.CharField(required=False, max_length=500, widget=forms.PasswordInput(attrs=_SECRET))
    token = forms.CharField(
        label="Bearer token", required=False, max_length=4000, widget=forms.PasswordInput(attrs=_SECRET)
    )
    header_lines = forms.CharField(
        label="Headers", required=False, widget=forms.Textarea(attrs={**_SECRET, "rows": 2, "class": "mono"})
    )
    forget = forms.BooleanField(label="Forget the stored credentials and headers", required=False)
    seconds = forms.FloatField(
        label="Time limit in seconds",
        min_value=0.5,
        max_value=LONGEST_TIMEOUT,
        initial=10,
        help_text="A question that takes longer is given up and asked again later.",
    )

    class Meta:
        model = Source
        fields = ("kind", "name", "url", "verify_tls", "has_traces", "has_logs", "traces_in", "logs_in", "link")
        labels = {
            "url": "Address",
            "verify_tls": "Check its TLS certificate",
            "has_traces": "It holds traces",
            "has_logs": "It holds log lines",
            "traces_in": "Index or table of traces",
            "logs_in": "Index or table of log lines",
            "link": "Link to a trace",
        }
        help_texts = {
            "url": WHERE,
            "traces_in": "Empty: traces-* and otel-v1-apm-span-*, or otel_traces.",
            "logs_in": "Empty: logs-* and filebeat-*, or otel_logs.",
            "link": LINK,
        }

    def __init__(self, data: Mapping[str, Any] | None = None, *, instance: Source | None = None) -> None:
        super().__init__(data, instance=instance)
        self._stored = (instance.url, instance.credentials, instance.headers) if instance else None
        self.fields["url"].required = True
        self.fields["url"].widget.attrs.update({"class": "input mono", "inputmode": "url"})
        self.fields["header_lines"].help_text = "One a line, e.g. X-Scope-OrgID: shop."
        for name in ("traces_in", "logs_in", "link"):
            self.fields[name].widget.attrs.update({"class": "input mono", "spellcheck": "false"})
        if instance:
            # Another kind is another store; objectives, for one, need theirs to stay a Prometheus.
            self.fields["kind"].disabled = True
            self.fields["seconds"].initial = instance.timeout.total_seconds()
            self._say_what_is_kept(instance)

    def _say_what_is_kept(self, source: Source) -> None:
        if "password" in source.credentials or "username" in source.credentials:
            self.fields["password"].help_text = f"A user name and password are stored. {KEEP}"
        if "token" in source.credentials:
            self.fields["token"].help_text = f"A token is stored. {KEEP}"
        if source.headers:
            self.fields["header_lines"].help_text = f"Stored: {', '.join(sorted(source.headers))}. {KEEP}"

    def clean_url(self) -> str:
        return address_of(self.cleaned_data["url"].strip()).rstrip("/")

    def clean_kind(self) -> str:
        return str(self.cleaned_data["kind"] or Source.Kind.PROMETHEUS)

    def clean_link(self) -> str:
        link = str(self.cleaned_data["link"]).strip()
        if link and not link.startswith(("http://", "https://", "{url}")):
            raise ValidationError("A link starts with http:// or https://, or with {url}.")
        if unknown := unknown_places(link):
            raise ValidationError(f"Nothing is known for {{{unknown[0]}}}. {LINK}")
        return link

    def clean_header_lines(self) -> dict[str, str]:
        return headers_of(self.cleaned_data["header_lines"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("token") and (cleaned.get("username") or cleaned.get("password")):
            self.add_error("token", "Give either a user name and password, or a token.")
        elif bool(cleaned.get("username")) != bool(cleaned.get("password")):
            missing = "password" if cleaned.get("username") else "username"
            self.add_error(missing, "A user name and its password belong together: enter both.")
        self._guard_secrets(cleaned)
        if self._may_hold_both(cleaned) and not (cleaned.get("has_traces") or cleaned.get("has_logs")):
            self.add_error("has_traces", "It has to hold something: traces, log lines, or both.")
        return cleaned

    @staticmethod
    def _may_hold_both(cleaned: Mapping[str, Any]) -> bool:
        return "kind" in cleaned and len(ROLES[Source.Kind(cleaned["kind"])]) > 1

    def _guard_secrets(self, cleaned: dict[str, Any]) -> None:
        """Whoever may edit a source must not be able to send its stored secrets to a host of their own."""
        if not self._stored or "url" not in cleaned or cleaned.get("forget"):
            return
        address, credentials, headers = self._stored
        if _origin(address) == _origin(cleaned["url"]):
            return
        again = "The address names another server now. Enter this again, or tick “Forget”."
        if credentials and not (cleaned.get("token") or cleaned.get("username")):
            self.add_error("token" if "token" in credentials else "password", again)
        if headers and not cleaned.get("header_lines"):
            self.add_error("header_lines", again)

    def save(self, commit: bool = True) -> Source:
        given, source = self.cleaned_data, self.instance
        source.timeout = timedelta(seconds=given["seconds"])
        if given["forget"]:
            source.credentials, source.headers = {}, {}
        if given["token"]:
            source.credentials = {"token": given["token"]}
        elif given["username"]:
            source.credentials = {"username": given["username"], "password": given["password"]}
        if given["header_lines"]:
            source.headers = given["header_lines"]
        return super().save(commit)
