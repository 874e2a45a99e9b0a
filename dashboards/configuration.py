"""Settings: the stores that Fireline asks, the channels it writes to, and the tokens that let telemetry in."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from alerts.channels.errors import TransportError
from alerts.delivery import send_test
from alerts.models import Channel
from dashboards.channel_form import ChannelForm, hint_of
from dashboards.forms import StyledModelForm
from dashboards.source_form import SourceForm
from telemetry import checks, tokens
from telemetry.models import IngestToken, Source


class TokenForm(StyledModelForm[IngestToken]):
    class Meta:
        model = IngestToken
        fields = ("name",)
        labels = {"name": "Name of the sender"}
        error_messages = {"name": {"unique": "A token has this name. Choose another, or delete that one first."}}


def _context(token_form: TokenForm | None = None, new_token: str = "") -> dict[str, Any]:
    channels = Channel.objects.all()
    return {
        "sources": Source.objects.all(),
        "channels": [(channel, hint_of(channel)) for channel in channels],
        "tokens": IngestToken.objects.select_related("created_by"),
        "token_form": token_form or TokenForm(),
        "new_token": new_token,
        "environment_token": bool(settings.INGEST_TOKEN),
        "base_url": settings.BASE_URL,
        "facts": settings,
    }


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "settings.html", _context())


# -- Sources
def _configured() -> QuerySet[Source]:
    return Source.objects.exclude(kind=Source.Kind.EMBEDDED)


@require_http_methods(["GET", "POST"])
def source_new(request: HttpRequest) -> HttpResponse:
    return _source_form(request, SourceForm(request.POST or None), None)


@require_http_methods(["GET", "POST"])
def source_edit(request: HttpRequest, pk: int) -> HttpResponse:
    source = get_object_or_404(_configured(), pk=pk)
    form = SourceForm(request.POST or None, instance=source)
    return _source_form(request, form, Source.objects.get(pk=pk))


def _source_form(request: HttpRequest, form: SourceForm, source: Source | None) -> HttpResponse:
    if form.is_bound and form.is_valid():
        saved = form.save()
        messages.success(request, f"{saved.name} is saved. {_tested(saved)}")
        return redirect("settings")
    return render(request, "source_form.html", {"form": form, "source": source}, status=422 if form.is_bound else 200)


def _tested(source: Source) -> str:
    """Asks the source, and says what it said. A source is worth asking as soon as it is saved."""
    checks.check(source)
    source.refresh_from_db()
    return f"It {source.answer}." if not source.last_error else source.last_error


@require_POST
def source_test(request: HttpRequest, pk: int) -> HttpResponse:
    source = get_object_or_404(_configured(), pk=pk)
    said = _tested(source)
    if request.headers.get("HX-Request"):
        return render(request, "settings.html#source-state", {"source": source})
    tell = messages.error if source.last_error else messages.success
    tell(request, f"{source.name}: {said}")
    return redirect("settings")


# -- Channels
@require_http_methods(["GET", "POST"])
def channel_new(request: HttpRequest) -> HttpResponse:
    return _channel_form(request, ChannelForm(request.POST or None), None)


@require_http_methods(["GET", "POST"])
def channel_edit(request: HttpRequest, pk: int) -> HttpResponse:
    channel = get_object_or_404(Channel, pk=pk)
    form = ChannelForm(request.POST or None, instance=channel)
    return _channel_form(request, form, Channel.objects.get(pk=pk))


def _channel_form(request: HttpRequest, form: ChannelForm, channel: Channel | None) -> HttpResponse:
    if form.is_bound and form.is_valid():
        saved = form.save()
        messages.success(request, f"{saved.name} is saved. Send a test to see that it arrives.")
        return redirect("settings")
    context = {"form": form, "channel": channel}
    return render(request, "channel_form.html", context, status=422 if form.is_bound else 200)


@require_POST
def channel_test(request: HttpRequest, pk: int) -> HttpResponse:
    channel = get_object_or_404(Channel, pk=pk)
    problem = ""
    try:
        send_test(channel)
    except TransportError as error:
        problem = str(error)
    channel.refresh_from_db()
    if request.headers.get("HX-Request"):
        said = "the test was delivered"
        return render(request, "settings.html#channel-state", {"channel": channel, "said": said})
    (messages.error if problem else messages.success)(
        request, f"{channel.name}: {problem or 'the test was delivered.'}"
    )
    return redirect("settings")


# -- Ingest tokens
@require_http_methods(["GET", "POST"])
def token_new(request: HttpRequest) -> HttpResponse:
    """Makes a token and shows it on the page that answers: it is nowhere else, so nobody can read it later."""
    if request.method == "GET":
        return redirect("settings")
    form = TokenForm(request.POST)
    if not form.is_valid():
        return render(request, "settings.html", _context(token_form=form), status=422)
    user = request.user if isinstance(request.user, User) else None
    _, secret = tokens.create(form.cleaned_data["name"], user)
    response = render(request, "settings.html", _context(new_token=secret))
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "POST"])
def token_delete(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(IngestToken, pk=pk)
    if request.method == "GET":
        return render(request, "token_delete.html", {"token": token})
    IngestToken.objects.filter(pk=pk).delete()
    messages.success(request, f"{token.name} may not send any more.")
    return redirect("settings")
