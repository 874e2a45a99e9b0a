"""The picture of a request: where each bar stands, whose it is, what is shown of a long one."""

from collections.abc import Iterator

import pytest

from connectors.telemetry import Span
from dashboards import waterfall
from dashboards.waterfall import Gap, Row
from evidence.spans import tree
from tests.dashboards.requests import failed_request, line, span, words


def rows(drawn: waterfall.Waterfall) -> list[Row]:
    return [row for row in drawn.rows if isinstance(row, Row)]


def gaps(drawn: waterfall.Waterfall) -> list[Gap]:
    return [row for row in drawn.rows if isinstance(row, Gap)]


def many(count: int) -> Iterator[Span]:
    yield span("1", ms=count + 10)
    for number in range(2, count + 1):
        yield span(f"{number:x}", "1", start_ms=number, ms=1)


def test_a_bar_stands_where_its_span_ran():
    drawn = waterfall.draw(tree([span("1", ms=200), span("2", "1", start_ms=50, ms=100)]), [], None)
    child = rows(drawn)[1]
    assert (child.start, child.width) == (0.25, 0.5)


def test_a_bar_never_reaches_past_the_picture():
    whole = tree([span("1", ms=100), span("2", "1", start_ms=90, ms=500), span("3", "1", start_ms=20, ms=0)])
    assert all(0 <= row.start <= 1 and row.end <= 1.000001 for row in rows(waterfall.draw(whole, [], None)))


def test_a_service_keeps_its_colour():
    assert waterfall.tone("payment") == waterfall.tone("payment")
    assert {waterfall.tone(f"service-{n}") for n in range(100)} == {f"s{n}" for n in range(1, 7)}


def test_a_call_without_an_answer_is_drawn_as_the_one_called():
    whole = tree(failed_request())
    assert [row.party for row in rows(waterfall.draw(whole, [], None))] == [
        "gateway",
        "inventory",
        "payment",
        "provider-b",
    ]


def test_a_call_whose_callee_sent_spans_is_the_callers():
    whole = tree(
        [
            span("1", kind="client", service="shop", attributes={"peer.service": "db"}),
            span("2", "1", kind="server", service="db"),
        ]
    )
    assert [row.party for row in rows(waterfall.draw(whole, [], None))] == ["shop", "db"]


def test_own_time_adds_up_to_all_of_it():
    shares = waterfall.own_time(tree(failed_request()))
    assert shares[0].party == "provider-b"
    assert sum(share.width for share in shares) == pytest.approx(1)
    assert shares[-1].start + shares[-1].width == pytest.approx(1)


def test_log_lines_stand_under_their_span_and_the_others_at_the_end():
    lines = [*words(), line("nobody's", "99")]
    drawn = waterfall.draw(tree(failed_request()), lines, None)
    assert [one.body for one in rows(drawn)[3].lines] == ["provider-b timed out"]
    assert [one.body for one in drawn.loose] == ["nobody's"]


def test_a_line_is_marked_on_its_lane_where_it_was_said():
    dot = rows(waterfall.draw(tree(failed_request()), words(), None))[3].dots[0]
    assert dot.level == "error"
    assert dot.at == pytest.approx(0.96)


def test_deep_spans_are_indented_up_to_a_limit():
    spans = [span("1")] + [span(str(n), str(n - 1)) for n in range(2, 40)]
    assert max(row.depth for row in rows(waterfall.draw(tree(spans), [], None))) == waterfall.DEEPEST


def test_of_ten_thousand_spans_a_page_is_shown_and_the_rest_is_named():
    drawn = waterfall.draw(tree(list(many(10_000))), [], None)
    assert len(rows(drawn)) == waterfall.PER_PAGE
    assert [(gap.count, gap.page) for gap in gaps(drawn)] == [(9_500, 2)]
    assert drawn.pages == 20


def test_the_selected_span_of_a_long_trace_is_shown_with_its_callers():
    whole = tree([*many(2_000), span("ffff", "7cf", start_ms=1999.2, ms=0.2)])
    chosen = whole.find("ffff".zfill(16))
    assert chosen
    drawn = waterfall.draw(whole, [], chosen, page=1)
    assert [row.span_id.lstrip("0") for row in rows(drawn)[-2:]] == ["7cf", "ffff"]
    assert rows(drawn)[-1].selected
    assert sum(gap.count for gap in gaps(drawn)) + len(rows(drawn)) == len(whole)


@pytest.mark.parametrize(("asked", "page"), [(0, 1), (-3, 1), (2, 2), (99, 3)])
def test_a_page_that_is_not_there_becomes_the_nearest(asked, page):
    assert waterfall.draw(tree(list(many(1_200))), [], None, page=asked).page == page


def test_nothing_is_drawn_as_nothing():
    drawn = waterfall.draw(tree([]), [], None)
    assert (drawn.rows, drawn.pages) == ((), 1)
