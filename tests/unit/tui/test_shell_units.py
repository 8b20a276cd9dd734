"""The painter, colours, ASCII and the writer of a terminal."""

from __future__ import annotations

import os
import random
import re
import threading
import time
import unicodedata
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

from tuitrain.tui.shell import themes
from tuitrain.tui.terminal import filters
from tuitrain.tui.terminal.driver import MAX_PENDING_BYTES, TerminalWriter
from tuitrain.tui.terminal.filters import AsciiFilter, plain_style, spelled
from tuitrain.tui.terminal.painter import Painter
from tuitrain.workbench import settings

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


def to_ascii(text: str) -> str:
    (segment,) = AsciiFilter().apply([Segment(text)], Color(0, 0, 0))
    return segment.text


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
