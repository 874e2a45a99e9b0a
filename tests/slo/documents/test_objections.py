"""Before documents are applied, stores are asked what only they can know."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from slo.models import Objective
from tests import servers
from tests.make import make_source
from tests.slo.documents.samples import ratio, slo, text

pytestmark = pytest.mark.django_db

EDGES = ("0.25", "0.5", "1.0", "+Inf")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    now = timezone.now().timestamp()
    times = [int(now) + 60 * n for n in range(-10, 30)]
    buckets = [f'd_seconds_bucket{{a="b",le="{edge}"}} 3 {at}' for edge in EDGES for at in times]
    other = [f'd_seconds_bucket{{a="c",le="0.3"}} 3 {at}' for at in times]
    known = "\n".join(["# TYPE d_seconds histogram", *buckets, *other, "# EOF\n"])
    with servers.prometheus_server(openmetrics=known) as server:
        yield server.url


def latency(threshold: str, name: str = "availability") -> dict[str, object]:
    good, total = f'd_seconds_bucket{{a="b",le="{threshold}"}}', 'd_seconds_count{a="b"}'
    return slo(name=name, indicator=ratio(good, total, "good"))


def apply(path: Path, *options: str) -> str:
    told = StringIO()
    call_command("apply", "-f", str(path), *options, stdout=StringIO(), stderr=told)
    return told.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.yaml"


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_threshold_that_is_no_bucket_is_refused_with_the_nearest(
    url: str, file: Path, options: tuple[str, ...]
) -> None:
    make_source(url)
    # Another service has such a bucket.
    file.write_text(text(latency("0.3")))
    with pytest.raises(CommandError, match=r"shop.yaml.*0.3 s. The nearest end at 0.25 s and 0.5 s.") as refused:
        apply(file, *options)
    assert refused.value.returncode == 2
    assert not Objective.objects.exists()


def test_a_threshold_that_is_a_bucket_is_applied(url: str, file: Path) -> None:
    make_source(url)
    file.write_text(text(latency("1")))
    assert apply(file) == ""
    assert Objective.objects.count() == 1


def test_a_store_that_cannot_be_reached_is_told_once_and_stops_nothing(file: Path) -> None:
    make_source()
    file.write_text(text(latency("0.3"), latency("0.4", "other")))
    told = apply(file)
    assert told.count("could not be checked: 127.0.0.1:9 cannot be reached") == 1
    assert Objective.objects.count() == 2


def test_what_stays_as_it_is_is_not_asked_about(file: Path) -> None:
    make_source()
    file.write_text(text(latency("0.3")))
    apply(file)
    assert apply(file) == ""


def test_bad_input_ends_with_two_as_for_a_backtest(file: Path) -> None:
    make_source()
    file.write_text("a: [")
    with pytest.raises(CommandError) as refused:
        apply(file)
    assert refused.value.returncode == 2
