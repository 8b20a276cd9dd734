"""Titles of curves, tables and the verdict, as lines."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.monitor_recorded import after, at, begun, epoch, recorded
from tuitrain import figures
from tuitrain.tui.monitor import curves, sheets
from tuitrain.tui.paint.text import HeadedLines, cells, cut, wrap
from tuitrain.watch.state import Ghost, MonitorState, reduce_all


def test_a_title_says_by_how_much() -> None:
    state, ghosts = after(0.981, 0.9912), (Ghost("published", (0.98, 0.99)),)
    shown = curves.picture(state, ghosts, "accuracy")
    text = "".join(t for t, _ in curves.title(state, ghosts, shown, smooth=False, width=78))
    assert "published: ahead by 0.12 at this epoch" in text
    level = after(0.98, 0.99)
    text = "".join(
        t
        for t, _ in curves.title(
            level, ghosts, curves.picture(level, ghosts, "accuracy"), smooth=False, width=78
        )
    )
    assert "published: level at this epoch" in text
    two = (*ghosts, Ghost("best here", (0.985, 0.9915)))
    wide, narrow = (
        "".join(
            t
            for t, _ in curves.title(
                state, two, curves.picture(state, two, "accuracy"), smooth=False, width=w
            )
        )
        for w in (90, 56)
    )
    assert "published: ahead by 0.12" in wide and "best here: behind by 0.03" in wide
    assert "· published" in narrow and narrow.endswith("best here"), "whose line is whose comes first"
    at_cursor = dataclasses.replace(shown, cursor=1)
    text = "".join(t for t, _ in curves.title(state, ghosts, at_cursor, smooth=False, width=78))
    assert "epoch 1" in text and "test 98.10" in text and "published 98.00" in text


def test_smoothing_keeps_a_constant_and_its_gaps() -> None:
    assert curves.smoothed([0.5, None, 0.5, math.nan, 0.5]) == (
        pytest.approx(0.5), None, pytest.approx(0.5), None, pytest.approx(0.5),
    )  # fmt: skip
    rough = curves.smoothed([0.0, 1.0, 0.0, 1.0])
    assert all(0 <= v <= 1 for v in rough if v is not None)


# ------------------------------------------------------------------------------ sheets


def text_of(sheet: HeadedLines) -> str:
    heading, rows = sheet
    return "\n".join("".join(text for text, _ in row) for row in (heading, *rows))


def test_the_epoch_table_says_how_much_of_the_training_waited_for_data() -> None:
    assert "wait" not in text_of(sheets.epochs(after(0.98, 0.99)))
    events = [epoch(1, 0.98, train_s=4.0, data_wait_s=None), epoch(2, 0.99, train_s=4.0, data_wait_s=0.5)]
    heading, first, second, _ = text_of(sheets.epochs(reduce_all(begun(), map(at, events)))).splitlines()
    assert heading.rstrip().endswith("wait %")
    assert first.split()[-1] == "–" and second.split()[-1] == "12"


def test_the_epoch_table_marks_the_best_and_the_target() -> None:
    text = text_of(sheets.epochs(after(0.98, 0.9941, 0.994), (Ghost("published", (0.985, 0.99)),)))
    lines = text.splitlines()
    assert lines[0].split() == [
        "epoch",
        "test",
        "%",
        "loss",
        "train",
        "%",
        "loss",
        "gap",
        "lr",
        "seconds",
        "ahead",
    ]
    assert lines[-1] == " ahead: test accuracy above (+) or below (−) published, in points"
    assert "−0.50" in lines[1] and "★" in lines[2] and "+0.41" in lines[2] and "✓" in lines[3]


def test_the_verdict() -> None:
    assert "when the run has ended" in text_of(sheets.verdict(after(0.9), (), 78))
    text = text_of(sheets.verdict(reduce_all(MonitorState(), recorded()), (), 78))
    assert "✗ Challenge not met: accuracy, consistency" in text
    assert "✓ parameters" in text and "claimed" in text and "−0.10" in text and "another seed" in text


@given(st.text(max_size=60), st.integers(1, 40))
def test_lines_are_cut_and_broken_to_their_width(text: str, width: int) -> None:
    clean = "".join(c for c in text if c.isprintable())
    assert cells(cut(((clean, ""),), width)) <= width
    assert all(cells(line) <= width for line in wrap(((clean, ""),), width))


def test_words() -> None:
    assert [figures.duration_text(s) for s in (0, 59.6, 61, 3600, 90061, 200000, None, math.nan)] == [
        "0:00", "1:00", "1:01", "1:00:00", "25:01:01", "2 d 7 h", "–", "–",
    ]  # fmt: skip
    assert figures.percent_text(0.9938) == "99.38" and figures.percent_text(math.nan) == "–"
    assert figures.plural(1, "epoch") == "1 epoch" and figures.plural(5, "epoch") == "5 epochs"
    assert figures.loss_text(math.inf) == "not finite"
