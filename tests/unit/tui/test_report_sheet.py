"""A run's report.md on the monitor: what the Markdown says, without its marks."""

from support.monitor_recorded import DIRECTORY, recorded
from tuitrain.report import report_files
from tuitrain.runs import inspect
from tuitrain.runs.history import History
from tuitrain.tui.monitor.sheets import report_sheet
from tuitrain.tui.paint.text import cells


def test_a_report_reads_as_text_in_any_width() -> None:
    files = report_files(History.of(recorded()), inspect.read(DIRECTORY), None, ())
    for width in (60, 80, 140):
        (heading,), rows = report_sheet(files["report.md"].splitlines(), width)
        assert "enter closes it" in heading[0] and all(cells(row) <= width for row in rows)
        lines = ["".join(text for text, _ in row) for row in rows]
        assert lines[0] == " step13 on mnist" and " Analysis" in lines and "**" not in "".join(lines)
        assert not any(mark in "\n".join(lines) for mark in ("![", "](", "|---", "\\", "```"))
        said = " ".join(" ".join(lines).split())
        assert "No epoch reached 99.4 %: the best is 0.10 points short, 10 images of 10,000." in said
        assert any(line.split() == ["✗", "missed", "accuracy", "99.40", "%", "99.30", "%"] for line in lines)
    bold = "".join(text for row in rows for text, style in row if style == "bold")
    assert "best or last:" in bold and " Analysis" in bold and "(7)" not in bold


def test_odd_tables_and_nothing_are_no_error() -> None:
    assert report_sheet([], 40)[1] == []
    (_, rows) = report_sheet(["| a | b\\|c |", "|---|---:|", "| 1 |", "| 2 | 3 | 4 |", "| alone |"], 40)
    assert "".join(text for text, _ in rows[0]).split() == ["a", "b|c"] and len(rows) == 4
    assert len(report_sheet(["| x |"], 40)[1]) == 1
