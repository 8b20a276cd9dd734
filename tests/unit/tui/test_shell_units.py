"""The parts of the shell that need no app: painter, filters, writer, sessions in line, wording of comparisons."""

from __future__ import annotations

import os
import random
import re
import threading
import time
import unicodedata
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip

from support.queue_fake import Line
from tuitrain.errors import TuitrainError, UsageError
from tuitrain.runs.index import RunSummary
from tuitrain.spec.preset_files import load_preset
from tuitrain.tui.shell import themes
from tuitrain.tui.terminal import filters
from tuitrain.tui.terminal.driver import MAX_PENDING_BYTES, TerminalWriter
from tuitrain.tui.terminal.filters import AsciiFilter, plain_style, spelled, to_ascii
from tuitrain.tui.terminal.painter import Painter
from tuitrain.watch import comparison, runlist
from tuitrain.workbench import settings
from tuitrain.workbench.queue_plan import plan_of, seeds_of, variations_of

WIDTH, HEIGHT = 24, 6
LOOKS = (
    Style(),
    Style(color="red"),
    Style(bold=True, bgcolor="#102030"),
    Style(reverse=True, color="#ffffff"),
)


def painted(rows: list[list[tuple[str, Style]]]) -> LayoutUpdate:
    strips = [[Strip([Segment(text, style) for text, style in row])] for row in rows]
    return LayoutUpdate(strips, Region(0, 0, WIDTH, HEIGHT))  # type: ignore[arg-type]


def random_rows(chance: random.Random) -> list[list[tuple[str, Style]]]:
    rows = []
    for _ in range(HEIGHT):
        row: list[tuple[str, Style]] = []
        left = WIDTH
        while left > 0:
            char = chance.choice(["a", "b", " ", "─", "▄", "字"])
            cells = 2 if char == "字" else 1
            count = min(chance.randint(1, 6), left // cells)
            if count == 0:
                char, cells, count = " ", 1, left
            row.append((char * count, chance.choice(LOOKS)))
            left -= cells * count
        rows.append(row)
    return rows


def cells_of(screen: pyte.Screen) -> list[tuple[Any, ...]]:
    return [
        (cell.data, cell.fg, cell.bg, cell.bold, cell.reverse)
        for y in range(HEIGHT)
        for cell in (screen.buffer[y][x] for x in range(WIDTH))
    ]


def test_painter_brings_a_terminal_to_what_a_whole_paint_shows() -> None:
    chance = random.Random(7)
    screen = pyte.Screen(WIDTH, HEIGHT)
    stream, painter = pyte.Stream(screen), Painter()
    rows = random_rows(chance)
    for _ in range(150):
        if chance.random() < 0.3:
            rows = random_rows(chance)
        else:
            rows[chance.randrange(HEIGHT)] = random_rows(chance)[0]
        stream.feed(painter.update(painted(rows), ColorSystem.TRUECOLOR, WIDTH, HEIGHT) or "")
        whole = pyte.Screen(WIDTH, HEIGHT)
        pyte.Stream(whole).feed(Painter().update(painted(rows), ColorSystem.TRUECOLOR, WIDTH, HEIGHT) or "")
        assert cells_of(screen) == cells_of(whole)
        assert screen.display == ["".join(text for text, _ in row) for row in rows]


def test_painter_sends_nothing_for_nothing_and_little_for_little() -> None:
    painter = Painter()
    rows = [[(f"step {y:4} of 938 ......."[:WIDTH].ljust(WIDTH), LOOKS[1])] for y in range(HEIGHT)]
    first = painter.update(painted(rows), ColorSystem.TRUECOLOR, WIDTH, HEIGHT)
    assert first and len(first) > WIDTH * HEIGHT
    assert painter.update(painted(rows), ColorSystem.TRUECOLOR, WIDTH, HEIGHT) == ""
    rows[2] = [(rows[2][0][0].replace("2 of", "3 of"), LOOKS[1])]
    assert len(painter.update(painted(rows), ColorSystem.TRUECOLOR, WIDTH, HEIGHT) or "") < 25
    painter.forget()
    assert painter.update(painted(rows), ColorSystem.TRUECOLOR, WIDTH, HEIGHT) != ""


def test_ascii_keeps_the_width_of_everything() -> None:
    text = "── ▰▱ ▁▂▃█ ⡜⠒⠊ ● ✓ ‖ → 字 ° × … é ü"
    plain = to_ascii(text)
    assert plain.isascii()
    assert cell_len(plain) == cell_len(text)
    (segment,) = AsciiFilter().apply([Segment(text, Style(bold=True))], Color(0, 0, 0))
    assert segment.text == plain and segment.style == Style(bold=True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("│ epochs     ≤ 15     14 │", "| epochs     <= 15    14 |"),
        ("│ accuracy  ≥ 99.40     – │", "| accuracy  >= 99.40    - |"),
        ("│≤ 6,000│", "|<=6,000|"),
        ("test ≤98.91 ▁▂", "test <=98.91__"),
        ("conv2 10 → 11   ", "conv2 10 -> 11  "),
        ("rotation 10 → 11", "rotation 10 ->11"),
        ("exactly 5°       5°    ", "exactly 5 deg    5 deg "),
        ("45 °C", "45 oC"),
        (" ⏎ Start  q Quit     ", " Enter Start q Quit  "),
        ("99.12 ± 0.08  10×28×28", "99.12 +- 0.08 10x28x28"),
        ("≤", "?"),
        ("─ What changed ─ conv2 10 → 13 ─────", "- What changed - conv2 10 -> 13 ----"),
        ("conv2 900 ████▌   conv1 ▏", "conv2 900 ####.   conv1 ."),
        ("▌ conv2", "[ conv2"),
        ("🔎 step", "// step"),
    ],
)
def test_ascii_keeps_the_meaning_and_the_width_of_a_line(line: str, told: str) -> None:
    assert to_ascii(line) == told and len(told) == cell_len(line)
    halves = [Segment(line[:4], Style(bold=True)), Segment(line[4:])]
    filtered = AsciiFilter().apply(halves, Color(0, 0, 0))
    assert "".join(segment.text for segment in filtered) == told
    assert [segment.style for segment in filtered] == [Style(bold=True), None]


def test_no_glyph_becomes_another_relation() -> None:
    relations = {"≤": "<=", "≥": ">=", "≠": "!=", "→": "->", "←": "<-", "±": "+-", "≈": "~"}
    assert {glyph: spelled(glyph) for glyph in relations} == relations
    pointers = "▸▹▶▷►›‹"  # before a line or around a choice, where no figures are compared
    for glyph, char in filters._ASCII.items():
        assert char not in ("<", ">") or glyph in pointers, glyph
        assert (
            char not in ("=", "+")
            or unicodedata.name(glyph).startswith(("BOX DRAWINGS", "DOUBLE VERT"))
            or glyph == "⏸"
        )


@given(st.text("≤≥→←±°⏎ ab1 │é字", max_size=30))
def test_a_line_in_ascii_is_as_wide_as_it_was_and_has_no_bare_relation(line: str) -> None:
    told = to_ascii(line)
    assert told.isascii() and len(told) == cell_len(line)
    assert not re.search(r"(?<![<>-])[<>](?![=-])", told.replace("<-", "").replace("->", "")), told


def test_no_color_keeps_what_stands_out() -> None:
    loud = plain_style(Style(color="#ffffff", bgcolor="#5eb1ef", bold=True), "#101418")
    quiet = plain_style(Style(color="#aaaaaa", bgcolor="#171c22"), "#101418")
    assert loud.reverse and loud.bold and loud.color is None and loud.bgcolor is None
    assert not quiet.reverse


@pytest.mark.parametrize(
    ("env", "utf8"),
    [({"LC_ALL": "C"}, False), ({"LANG": "en_US.ISO-8859-1"}, False), ({"LC_ALL": "de_DE.UTF-8"}, True)],
)
def test_locale_decides_about_ascii(env: dict[str, str], utf8: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert settings.speaks_utf8() is utf8


def test_themes() -> None:
    assert themes.default_theme(16) == "ansi-dark"
    assert themes.default_theme(None) == themes.DARK.name
    assert themes.full_name("safe") == themes.SAFE.name
    assert themes.full_name("nord") == "nord"


# -- the writer -------------------------------------------------------------------------------------


def test_writer_never_blocks_drops_frames_and_asks_for_a_whole_paint() -> None:
    read, write = os.pipe()
    drained = threading.Event()
    writer = TerminalWriter(write, drained.set, lambda: None)
    writer.start()
    frame = "x" * 9000
    began = time.monotonic()
    for _ in range(400):
        writer.write(frame, droppable=True)
    assert time.monotonic() - began < 10.0  # one that blocks never comes back
    writer.write("\x1b[?1049l")  # never dropped
    assert writer.stalled and writer._pending < 2 * MAX_PENDING_BYTES + len(frame)
    got = bytearray()
    while not got.endswith(b"\x1b[?1049l"):
        got += os.read(read, 65536)
    assert drained.wait(60)
    assert got.endswith(b"\x1b[?1049l")
    assert len(got) < 400 * 9000
    assert writer.stop(60.0)
    os.close(write)
    os.close(read)


def test_writer_says_once_that_the_terminal_is_gone() -> None:
    read, write = os.pipe()
    os.close(read)
    gone: list[int] = []
    writer = TerminalWriter(write, lambda: None, lambda: gone.append(1))
    writer.start()
    for _ in range(5):
        writer.write("x")
        time.sleep(0.02)
    writer.join(60)
    assert gone == [1] and writer.gone
    writer.write("x")
    assert writer._pending == 0
    os.close(write)


# -- sessions in line -------------------------------------------------------------------------------


def eventually(what: Any) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_one_after_the_other_on_a_device_side_by_side_on_two(tmp_path: Path) -> None:
    line = Line(tmp_path)
    first, second = line.start("cpu", 1), line.start("cpu", 2)
    other = line.start("cuda:1", 3)
    eventually(lambda: len(line.sessions) == 2)
    assert {session.entry for session in line.sessions} == {first.entry, other.entry}
    assert second.entry.state == "queued" and line.manager.waiting() == [second.entry]
    assert line.manager.busy()
    first.control.stop()
    eventually(lambda: second.entry.state == "training")
    second.control.stop()
    other.control.stop()
    assert line.manager.join(60)
    assert not line.manager.busy()


def test_a_waiting_run_can_be_taken_out_moved_and_steered_before_it_begins(tmp_path: Path) -> None:
    line = Line(tmp_path)
    first, second, third = line.start(), line.start(seed=1), line.start(seed=2)
    eventually(lambda: first.entry.state == "training")
    line.manager.move(third.entry, -1)
    assert line.manager.waiting() == [third.entry, second.entry]
    second.control.stop()
    assert second.entry.state == "cancelled"
    update = second.poll()
    assert not update.alive and "queue" in update.records[0].event.message
    third.control.set_lr(0.5)
    first.control.stop()
    eventually(lambda: len(line.sessions) == 2)
    assert line.sessions[1].entry is third.entry
    line.manager.stop_all("test", "test")
    assert line.manager.join(60)
    with pytest.raises(UsageError):
        line.start()


def test_what_can_not_begin_is_shown_and_the_next_one_runs(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.trouble = TuitrainError("no such device\x1b[2J")
    feed = line.start()
    eventually(lambda: feed.entry.state == "failed")
    assert "no such device" in feed.poll().records[0].event.message
    assert "\x1b" not in feed.entry.error
    assert line.manager.exit_code() == 1
    line.trouble = None
    again = line.start()
    eventually(lambda: again.entry.state == "training")
    again.control.stop()
    assert line.manager.join(60)


def test_abandoning_says_so_to_every_session(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.start()
    eventually(lambda: len(line.sessions) == 1 and line.manager.training()[0].session is not None)
    line.manager.abandon_all("too long", "signal")
    assert line.sessions[0].abandoned == "too long"
    line.manager.stop_all("test", "test")


# -- rows, filter, comparison, queue ----------------------------------------------------------------


def summary(number: int, **values: Any) -> RunSummary:
    base: dict[str, Any] = {
        "run": f"2026-11-20T10-00-{number:02}_step13_{number:04x}", "path": f"/runs/{number}", "state": "done",
        "preset": "step13", "dataset": "mnist", "parameters": 5854, "best": 0.99 + number / 10000,
        "best_epoch": 3, "last": 0.99, "epochs": 14, "epochs_planned": 14, "epochs_at_target": 0, "changed": {},
        "when": 1_790_000_000.0 + number, "seconds": 55.0, "device": "cpu", "seed": 0, "judged_by": "test",
        "command": "", "message": "",
    }  # fmt: skip
    return RunSummary(**(base | values))


def test_filter_by_words_and_figures() -> None:
    rows = [
        runlist.row_of(summary(n, state="failed" if n == 3 else "done", tags=("odd",) * (n % 2)))
        for n in range(6)
    ]

    def found(words: str) -> list[int]:
        return sorted(int(row.key[-4:], 16) for row in runlist.arrange(rows, words, "when", True))

    assert found("") == [0, 1, 2, 3, 4, 5]
    assert found("best>=99.03 DONE") == [4, 5]
    assert found("odd failed") == [3]
    assert found("params<10") == []
    assert found("best>") == [0, 1, 2, 3, 4, 5]  # still being typed


def test_sorting() -> None:
    rows = [runlist.row_of(summary(n, best=None if n == 1 else 0.9 + n / 100)) for n in range(3)]
    by_best = runlist.arrange(rows, "", "best", True)
    assert [row.best for row in by_best] == [0.92, 0.9, None]


def test_columns_fill_80_and_160() -> None:
    for width in (60, 80, 120, 160):
        columns = runlist.columns_for(width)
        assert sum(cells + 1 for _, cells in columns) + 2 <= max(width, 80)
    assert len(runlist.columns_for(160)) > len(runlist.columns_for(80))


def test_changed_text_is_visible_and_short() -> None:
    def text(layers: list[Any] | None = None, **changed: Any) -> str:
        pairs = {key.replace("__", "."): value for key, value in changed.items()}
        return runlist.changed_text(summary(1, changed=pairs, layers=layers or []))

    assert text(train__rotation=[5.0, 7.0], train__optimizer__lr=[0.019, 0.01]) == "rotation 7.0, lr 0.01"
    assert "\x1b" not in text(train__dataset=["a", "\x1b[2J"])
    assert text() == "–"
    wider = {"model.layers[1].conv": [10, 11]}
    assert text([{"conv": 10}, {"conv": 11}], **wider) == "conv2 11"
    assert text(**wider) == "model.layers[1].conv 11"  # of a log that does not say what layers there are


def test_settings_that_differ_are_named() -> None:
    from tuitrain.runs.history import History
    from tuitrain.spec.preset import override
    from tuitrain.training.events import Record, RunStarted

    def result(**changes: Any) -> History:
        preset = override(load_preset("step13"), changes).to_dict()
        started = RunStarted(
            "r", "step13", preset, 0, "cpu", "", {}, {}, 5854, 1, "mnist", 60000, 10000, "test", 14, 938
        )
        return History.of([Record(started, 0, 0)])

    lines = comparison.setting_lines(
        [r.preset.to_dict() for r in (result(), result(**{"train.rotation": 7.0})) if r.preset]
    )
    assert [(line.label, line.values) for line in lines] == [("rotation", ("5.0", "7.0"))]
    networks = (result(), result(**{"model.layers[1].conv": 11, "model.layers[3].then": ["gelu"]}))
    lines = comparison.setting_lines([r.preset.to_dict() for r in networks if r.preset])
    assert [(line.label, line.values) for line in lines] == [
        ("conv2", ("10", "11")),
        ("conv3 then", ("relu bn drop2", "gelu")),
    ]


def test_the_better_value_is_marked_and_a_tie_is_not() -> None:
    from tuitrain.runs.history import History

    lines = {
        line.label: line for line in comparison.result_lines([summary(1), summary(5)], [History(), History()])
    }
    assert lines["best test accuracy"].better == 1
    assert lines["parameters"].better is None


def test_queue_plans() -> None:
    assert seeds_of("0-2, 7,1") == [0, 1, 2, 7]
    assert variations_of("rotation=5,7 lr=0.01") == [
        {"train.rotation": 5, "train.optimizer.lr": 0.01},
        {"train.rotation": 7, "train.optimizer.lr": 0.01},
    ]
    plan = plan_of(["step13", "step11"], "0-1", "rotation=5,7", "cuda:0,cuda:1")
    assert len(plan) == 8
    assert {job.runtime.device for job in plan} == {"cuda:0", "cuda:1"}
    assert {job.preset.train.seed for job in plan} == {0, 1}
    for wrong in (
        ([], "0", "", ""),
        (["step13"], "x", "", ""),
        (["step13"], "0", "rotatoin=3", ""),
        (["nope"], "0", "", ""),
    ):
        with pytest.raises(TuitrainError):
            plan_of(*wrong)
