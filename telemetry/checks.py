"""Tests a source: asks it who it is, and remembers what it said."""

from django.utils import timezone

from connectors.errors import StoreError
from connectors.prometheus import Prometheus
from telemetry import stores
from telemetry.models import Source
from telemetry.sources import client, record_answer, record_error


def check(source: Source) -> str:
    """Asks the source who it is and remembers what it said: `answers, version 2.42.0, exemplars on`.

    Never raises for a store's fault: that is remembered as `last_error`, and its sentence returned.
    """
    try:
        said = _introduction(source)
    except StoreError as error:
        record_error(source, error, timezone.now())
        return str(error)
    record_answer(source, timezone.now(), said)
    return said


def _introduction(source: Source) -> str:
    if source.kind == Source.Kind.PROMETHEUS:
        with client(source) as prometheus:
            return _of_prometheus(prometheus)
    # Both indices or tables of a store that holds traces and log lines have to be there.
    versions = {role: store.probe() for role, store in stores.of(source).items()}
    version = next(filter(None, versions.values()), "")
    parts = ("answers", f"version {version}" if version else "", f"holds {' and '.join(versions)}")
    return ", ".join(part for part in parts if part)[:200]


def _of_prometheus(prometheus: Prometheus) -> str:
    # A query first: some compatible stores answer nothing but queries.
    prometheus.instant("1", timezone.now())
    version = prometheus.build_info().get("version")
    exemplars = {True: "exemplars on", False: "exemplars off", None: ""}[prometheus.exemplars_on()]
    parts = ("answers", f"version {version}" if version else "", exemplars)
    return ", ".join(part for part in parts if part)[:200]
