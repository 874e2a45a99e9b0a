"""Asking Prometheus: what a real one answers, and a sentence for everything that goes wrong."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors import answers
from connectors.errors import NotAStore, Refused, StoreError, TimedOut, TooMuch, Unreachable
from connectors.prometheus import Prometheus
from tests import servers
from tests.connectors.impostor import Impostor, Reply, impostor

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
LOOPBACK = ["127.0.0.0/8"]

HISTORY = """\
# HELP requests Requests that were answered.
# TYPE requests counter
requests_total{service="checkout"} 10 1795003080
requests_total{service="checkout"} 25 1795003140
requests_total{service="checkout"} 40 1795003200
requests_total{service="login"} 7 1795003200
"""


def ask(server: Impostor, seconds: float = 2, **options: Any) -> Prometheus:
    return Prometheus(server.url, allowed=LOOPBACK, timeout=timedelta(seconds=seconds), **options)


def success(data: object, **more: object) -> Reply:
    return Reply(json.dumps({"status": "success", "data": data} | more).encode())


def vector(*values: str) -> dict[str, object]:
    return {
        "resultType": "vector",
        "result": [{"metric": {"n": str(n)}, "value": [NOON.timestamp(), value]} for n, value in enumerate(values)],
    }


def sentence(reply: Reply, kind: type[StoreError], seconds: float = 2) -> str:
    """The message of the error that an answer leads to; never with credentials, always with the host."""
    with impostor(reply) as server, ask(server, seconds, auth=("olga", "hush")) as client:
        with pytest.raises(kind) as raised:
            client.instant("up", NOON)
        assert type(raised.value) is kind
        message = str(raised.value)
        assert "hush" not in message
        assert server.host in message
        return message.replace(server.host, "HOST")


@pytest.fixture(scope="module")
def server() -> Iterator[servers.PrometheusServer]:
    with servers.prometheus_server(openmetrics=HISTORY) as server:
        yield server


class TestARealOne:
    @pytest.fixture
    def client(self, server: servers.PrometheusServer) -> Iterator[Prometheus]:
        with Prometheus(server.url, allowed=LOOPBACK) as client:
            yield client

    @pytest.mark.real
    def test_answers_the_value_of_each_series(self, client: Prometheus) -> None:
        found = {sample.labels["service"]: sample.value for sample in client.instant("requests_total", NOON)}
        assert found == {"checkout": 40.0, "login": 7.0}

    @pytest.mark.real
    def test_answers_a_scalar_as_one_sample(self, client: Prometheus) -> None:
        (sample,) = client.instant("1 + 1", NOON)
        assert (sample.labels, sample.at, sample.value) == ({}, NOON, 2.0)

    @pytest.mark.real
    def test_answers_a_range_at_exactly_the_instants_asked_for(self, client: Prometheus) -> None:
        start = NOON - 2 * MINUTE + timedelta(milliseconds=500)
        (series,) = client.range('requests_total{service="checkout"}', start, NOON, MINUTE)
        assert series.points == ((start, 10.0), (start + MINUTE, 25.0))

    @pytest.mark.real
    def test_leaves_out_what_is_not_a_number(self, client: Prometheus) -> None:
        assert client.instant("vector(0) / 0 or vector(1) / 0", NOON) == []
        (series,) = client.range("1 / (time() % 120)", NOON - 2 * MINUTE, NOON, MINUTE)
        assert [at for at, _ in series.points] == [NOON - MINUTE]

    @pytest.mark.real
    def test_knows_series_labels_and_names(self, client: Prometheus) -> None:
        around = (NOON - HOUR, NOON + MINUTE)
        chosen = ['requests_total{service=~"check.*"}']
        assert [one["service"] for one in client.series(chosen, *around)] == ["checkout"]
        assert client.label_values("service", ["requests_total"], *around) == ["checkout", "login"]
        assert client.label_names(["requests_total"], *around) == ["__name__", "service"]
        assert client.metric_names("QUEST") == ["requests_total"]

    @pytest.mark.real
    def test_says_what_it_is(self, client: Prometheus) -> None:
        assert client.build_info()["version"].startswith("2.")
        assert client.exemplars_on() is True
        assert client.metadata("requests_total") is None
        assert client.exemplars("requests_total", NOON - HOUR, NOON) == []

    @pytest.mark.real
    def test_repeats_prometheus_own_words_about_a_query(self, client: Prometheus) -> None:
        with pytest.raises(Refused, match="parse error: unclosed left parenthesis"):
            client.instant("sum(", NOON)

    @pytest.mark.real
    def test_says_when_too_much_is_asked(self, client: Prometheus) -> None:
        with pytest.raises(TooMuch, match="exceeded maximum resolution of 11,000 points"):
            client.range("up", NOON - timedelta(days=30), NOON, timedelta(seconds=1))

    @pytest.mark.real
    def test_takes_a_query_that_is_longer_than_an_address_may_be(self, client: Prometheus) -> None:
        query = " or ".join(f'requests_total{{service="{"x" * 200}{n}"}}' for n in range(500))
        assert client.instant(query, NOON) == []

    @pytest.mark.real
    def test_is_asked_again_after_it_was_restarted(self) -> None:
        with servers.prometheus_server() as server, Prometheus(server.url, allowed=LOOPBACK) as client:
            client.instant("1", NOON)
            server.stop()
            with pytest.raises(Unreachable, match="nothing listens there"):
                client.instant("1", NOON)
            server.start()
            assert client.instant("1", NOON)[0].value == 1.0


class TestWhatGoesWrong:
    def test_an_unknown_host(self) -> None:
        with Prometheus("http://user:hush@nowhere.invalid:9090") as client, pytest.raises(Unreachable) as raised:
            client.instant("up", NOON)
        assert "nowhere.invalid:9090 cannot be reached" in str(raised.value)
        assert "hush" not in str(raised.value)

    def test_a_web_page_instead_of_prometheus(self) -> None:
        said = sentence(Reply(b"<!doctype html><title>Grafana</title>", kind="text/html"), NotAStore)
        assert said == "HOST is not Prometheus: it answered with a web page. Check the address, its path and its port."

    def test_a_wrong_path(self) -> None:
        said = sentence(Reply(b"404 page not found", 404, "text/plain"), NotAStore)
        assert said == (
            "HOST answered 404 Not Found: there is no Prometheus API at this address. Check its path and port."
        )

    def test_another_products_json(self) -> None:
        assert "JSON of another kind" in sentence(Reply(b'{"hits": []}'), NotAStore)

    def test_a_success_in_a_form_that_the_api_does_not_have(self) -> None:
        assert "a form that" in sentence(success({"result": [{"metric": {}, "value": "nonsense"}]}), NotAStore)
        assert "a form that" in sentence(success({"result": "nonsense"}), NotAStore)
        assert "a form that" in sentence(success([1, 2]), NotAStore)

    def test_json_that_breaks_off(self) -> None:
        assert "broke off" in sentence(Reply(b'{"status": "succ'), Unreachable)

    def test_a_connection_that_breaks_off(self) -> None:
        assert "broke off" in sentence(Reply(b'{"status": "succ', cut=True), Unreachable)

    def test_a_server_that_hangs_up(self) -> None:
        assert "cannot be reached" in sentence(Reply(hang_up=True), Unreachable)

    def test_a_broken_body(self) -> None:
        reply = Reply(b"this is no gzip", headers={"Content-Encoding": "gzip"})
        assert "cannot be unpacked" in sentence(reply, NotAStore)

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_a_proxy_whose_server_is_broken(self, status: int) -> None:
        assert "overloaded or broken" in sentence(Reply(b"<html>", status, "text/html"), Unreachable)

    @pytest.mark.parametrize("status", [401, 403])
    def test_credentials_that_do_not_fit(self, status: int) -> None:
        assert f"does not let Fireline in ({status})" in sentence(Reply(b"", status, "text/plain"), Refused)

    def test_an_error_of_its_own(self) -> None:
        said = Reply(b'{"status":"error","errorType":"internal","error":"disk is full"}', 500)
        assert sentence(said, Unreachable) == "HOST has a fault of its own: disk is full."

    @pytest.mark.parametrize(
        "error",
        [
            "query processing would load too many samples into memory in query execution",
            "the query exceeded the maximum number of chunks (limit: 30 chunks)",
            "expanding series: the query time range exceeds the limit (query length: 12000h0m0s, limit: 768h0m0s)",
            "cannot select more than -search.maxSamplesPerQuery=1000000000 samples",
            "the number of matching timeseries exceeds 30000",
        ],
    )
    def test_too_many_samples_in_the_words_of_any_store(self, error: str) -> None:
        reply = Reply(json.dumps({"status": "error", "errorType": "execution", "error": error}).encode(), 422)
        assert error in sentence(reply, TooMuch)

    def test_a_query_that_it_gave_up(self) -> None:
        reply = Reply(b'{"status":"error","errorType":"timeout","error":"query timed out"}', 503)
        assert sentence(reply, TimedOut) == "HOST gave up on the question: query timed out."

    def test_control_characters_in_its_message_are_not_passed_on(self) -> None:
        error = "bad\x1b[31m\nquery" + "x" * 1000
        reply = Reply(json.dumps({"status": "error", "errorType": "bad_data", "error": error}).encode(), 400)
        said = sentence(reply, Refused)
        assert said.isprintable()
        assert len(said) < 500

    def test_silence(self) -> None:
        assert "did not answer within 0.3" in sentence(Reply(silent=True), TimedOut, seconds=0.3)

    def test_an_answer_that_only_trickles_in(self) -> None:
        assert "did not answer within 0.3" in sentence(Reply(b'{"status"', trickle=True), TimedOut, seconds=0.3)

    def test_an_answer_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(answers, "LARGEST", 100_000)
        packed = gzip.compress(b" " * 10_000_000)
        reply = Reply(packed, headers={"Content-Encoding": "gzip"})
        assert "is larger than" in sentence(reply, TooMuch)

    def test_a_redirect_names_its_host_but_not_its_path(self) -> None:
        reply = Reply(status=302, headers={"Location": "https://sign-in.example/?token=hush"})
        said = sentence(reply, NotAStore)
        assert "sends questions on to https://sign-in.example." in said

    def test_headers_that_cannot_be_sent(self) -> None:
        with (
            impostor(success(vector())) as server,
            ask(server, headers={"X-Org": "a\r\nb"}) as client,
            pytest.raises(NotAStore, match="cannot be asked"),
        ):
            client.instant("up", NOON)


class TestHowItAsks:
    def test_warnings_are_kept(self) -> None:
        with impostor(success(vector("1"), warnings=["store eu-2 did not answer"])) as server, ask(server) as client:
            assert client.instant("up", NOON).warnings == ("store eu-2 did not answer",)

    def test_what_is_not_a_number_is_left_out(self) -> None:
        with impostor(success(vector("NaN", "+Inf", "-Inf", "3"))) as server, ask(server) as client:
            assert [sample.value for sample in client.instant("up", NOON)] == [3.0]

    def test_a_native_histogram_is_left_out(self) -> None:
        row = {"metric": {}, "histogram": [NOON.timestamp(), {"count": "1"}]}
        with impostor(success({"result": [row]})) as server, ask(server) as client:
            assert client.instant("up", NOON) == []

    def test_exemplars_without_a_trace_are_left_out(self) -> None:
        found = [
            {"labels": {"trace_id": "later"}, "value": "0.5", "timestamp": NOON.timestamp() + 1},
            {"labels": {"traceID": "sooner"}, "value": "0.7", "timestamp": NOON.timestamp()},
            {"labels": {"user": "olga"}, "value": "0.7", "timestamp": NOON.timestamp()},
        ]
        with impostor(success([{"seriesLabels": {"le": "1"}, "exemplars": found}])) as server, ask(server) as client:
            assert [one.trace_id for one in client.exemplars("x", NOON, NOON)] == ["sooner", "later"]

    def test_questions_travel_in_the_body_with_credentials_and_headers(self) -> None:
        with (
            impostor(success(vector())) as server,
            ask(server, token="t0ken", headers={"X-Scope-OrgID": "shop"}) as client,
        ):
            client.instant("up", NOON)
            (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/api/v1/query")
        asked = parse_qs(request.body.decode())
        assert (asked["query"], asked["timeout"]) == (["up"], ["2000ms"])
        assert request.headers["Authorization"] == "Bearer t0ken"
        assert request.headers["X-Scope-OrgID"] == "shop"

    def test_a_connection_that_was_closed_meanwhile_is_opened_again(self) -> None:
        with impostor(Reply(hang_up=True), success(vector("1"))) as server, ask(server) as client:
            assert client.instant("up", NOON)[0].value == 1.0
            assert len(server.requests) == 2

    def test_silence_is_not_asked_again(self) -> None:
        with impostor(Reply(silent=True)) as server, ask(server, 0.3) as client:
            with pytest.raises(TimedOut):
                client.instant("up", NOON)
            assert len(server.requests) == 1

    def test_credentials_do_not_follow_a_redirect(self) -> None:
        with impostor(success(vector())) as other:
            elsewhere = Reply(status=307, headers={"Location": other.url})
            with (
                impostor(elsewhere) as server,
                ask(server, token="t0ken") as client,
                pytest.raises(NotAStore),
            ):
                client.instant("up", NOON)
            assert other.requests == []

    def test_a_store_that_does_not_say_what_it_is_still_counts_as_one(self) -> None:
        with impostor(Reply(b"not found", 404, "text/plain")) as server, ask(server) as client:
            assert client.build_info() == {}
            assert client.exemplars_on() is None
