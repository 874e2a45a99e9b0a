from connectors.telemetry import LogLine
from evidence.log_table import LogBuilder, from_lines


def test_lines_come_by_time_whatever_their_order():
    builder = LogBuilder()
    for at in (3, 1, 2):
        builder.add("shop", at, 9, f"step {at}")
    assert builder.table().at_ns.tolist() == [1, 2, 3]


def test_of_many_lines_a_few_are_kept_as_examples_the_last_among_them():
    builder = LogBuilder()
    for at in range(1_000):
        builder.add("shop", at, 9, f"step {at} done")
    (examples,) = builder.table().examples.values()
    assert (len(examples), examples[0].text, examples[-1].text) == (11, "step 0 done", "step 999 done")


def test_a_line_of_no_request_has_no_trace():
    builder = LogBuilder()
    builder.add("shop", 1, 9, "started")
    builder.add("shop", 2, 17, "refused", "a", "b")
    table = builder.table()
    assert table.trace.tolist() == [-1, 0]
    assert table.trace_ids[0] == "a"


def test_a_pattern_knows_its_service_and_worst_severity():
    lines = [LogLine(1, 9, "took 3 ms", "shop"), LogLine(2, 17, "took 9 ms", "shop"), LogLine(3, 9, "ready", "stock")]
    table = from_lines(lines)
    assert [table.services[code] for code in table.template_service] == ["shop", "stock"]
    assert table.template_severity.tolist() == [17, 9]


def test_no_lines_make_an_empty_table():
    table = LogBuilder().table()
    assert (len(table), len(table.template_service)) == (0, 0)
