"""Where a trace is in its store's own user interface: an address made from the source's template."""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from telemetry.models import Role, Source
from telemetry.stores import sources_of

# What a template may name. Times are Unix milliseconds, as Grafana has them, or RFC 3339, as Kibana has them.
PLACES = ("trace_id", "service", "from", "to", "from_iso", "to_iso", "url")
_PLACE = re.compile(r"\{([a-z_]+)\}")
# What is no part of an address as it stands, e.g. the braces and quotes of the JSON in Grafana's; % is left alone.
_SAFE = ":/?#[]@!$&'()*+,;=%~"

# Where the store's own interface is at the store's own address.
USUAL = {
    Source.Kind.JAEGER: "{url}/trace/{trace_id}",
    Source.Kind.VICTORIALOGS: "{url}/select/vmui/#/?query=trace_id%3A{trace_id}",
}


@dataclass(frozen=True, slots=True)
class Link:
    store: str
    url: str


def unknown_places(template: str) -> list[str]:
    """The names in braces that a template must not have."""
    return [name for name in _PLACE.findall(template) if name not in PLACES]


def of_trace(role: Role, trace_id: str, service: str, since: datetime, until: datetime) -> list[Link]:
    """One link for each source of the role that has a template, to this trace or to its log lines."""
    values = {
        "trace_id": trace_id,
        "service": service,
        "from": str(int(since.timestamp() * 1000)),
        "to": str(int(until.timestamp() * 1000)),
        "from_iso": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "to_iso": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    templates = [(source, template_of(source)) for source in sources_of(role)]
    return [Link(source.name, _filled(template, source.url, values)) for source, template in templates if template]


def template_of(source: Source) -> str:
    return source.link or USUAL.get(Source.Kind(source.kind), "")


def _filled(template: str, url: str, values: dict[str, str]) -> str:
    said = {"url": url} | {name: quote(value, safe="") for name, value in values.items()}
    return quote(_PLACE.sub(lambda place: said.get(place[1], place[0]), template), safe=_SAFE)
