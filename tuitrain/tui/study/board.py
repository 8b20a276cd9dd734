"""The leaderboard of a study of many settings: a row a setting, its heat map, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.paint.cells import SectionLine
from tuitrain.tui.paint.lines import SheetLines
from tuitrain.tui.paint.text import Line, Parts
from tuitrain.tui.runs.frontier import FrontierPane
from tuitrain.tui.shell.protocol import shell
from tuitrain.tui.study.head import StudyHead, state_style
from tuitrain.tui.study.heat import HeatView
from tuitrain.tui.study.members import Members
from tuitrain.tui.study.screen import StudyScreen, sentences
from tuitrain.watch.board import Board, BoardRow
from tuitrain.watch.runlist import state_look
from tuitrain.watch.study_pace import fraction_done

if TYPE_CHECKING:
    from tuitrain.study.watching import StudyLook

CURSOR, STATE, GAP = 2, 11, 2  # cells


class SettingsTable(Members):
    """The settings of the study, the best first.

    Enter opens the monitor of a setting's seeds; there, M leads back. The cursor stays on its setting when another
    overtakes it.
    """

    HELP_TITLE = "Settings"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "Open", id="board.open")]


class SearchFront(FrontierPane):
    """The networks of a search and the published systems."""

    quantity, counted = "Mean", "network"


class BoardScreen(StudyScreen):
    """All settings of a sweep, systems of a reproduction, or networks of a search, while they train and afterwards."""

    HELP_TITLE = "Leaderboard"
    DEFAULT_CSS = """
    BoardScreen.-tall StudyHead, BoardScreen.-very-tall StudyHead { margin: 1 0; }
    BoardScreen #settings { height: 1fr; width: 1fr; }
    BoardScreen #beside { display: none; height: 1fr; width: 1fr; }
    BoardScreen HeatView, BoardScreen SearchFront, BoardScreen #says { display: none; }
    BoardScreen.-two #beside { display: block; width: 40; margin-left: 2; }
    BoardScreen.-two.-front-is-there #beside { width: 60; }
    BoardScreen.-very-wide.-front-is-there #beside { width: 72; }
    BoardScreen.-two #says { display: block; }
    BoardScreen.-no-picture #middle { layout: vertical; }
    BoardScreen.-two.-no-picture #beside { height: 9; width: 1fr; margin: 0; }
    BoardScreen.-two.-heat-is-there HeatView { display: block; height: auto; max-height: 60%; }
    BoardScreen.-two.-front-is-there SearchFront { display: block; height: 60%; }
    BoardScreen.-picture #settings, BoardScreen.-says #settings { display: none; }
    BoardScreen.-picture #beside, BoardScreen.-says #beside { display: block; height: 1fr; width: 1fr; margin: 0; }
    BoardScreen.-picture.-heat-is-there HeatView, BoardScreen.-picture.-front-is-there SearchFront {
        display: block; height: 1fr; max-height: 100%; }
    BoardScreen.-picture #says, BoardScreen.-says HeatView, BoardScreen.-says SearchFront { display: none; }
    BoardScreen.-says #says { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("H", "heat", "Heat map", id="board.heat"),
        Binding("f", "front", "Frontier", id="board.front"),
        Binding("plus,equals_sign", "more", "More seeds", key_display="+", id="board.more"),
    ]

    def parts(self) -> ComposeResult:
        yield StudyHead("run", 3)
        with Horizontal(id="middle"):
            with Vertical(id="settings"):
                yield SectionLine("Settings", id="members-head")
                yield SettingsTable()
            with Vertical(id="beside"):
                yield SectionLine("Mean accuracy at the end", id="beside-head")
                yield HeatView()
                yield SearchFront()
                yield SheetLines(id="says")

    def context(self, seen: StudyLook) -> str:
        return f"{seen.plan.kind}  {_settings(seen, len(seen.groups))} · {figures.plural(len(seen.plan.seeds), 'seed')}"

    def sentences_of(self, seen: StudyLook) -> tuple[str, ...]:
        return seen.says_of_all

    def show(self, seen: StudyLook) -> None:
        board = seen.board
        if board is None:
            return
        fraction, runs = fraction_done(seen.groups), [run for group in seen.groups for run in group.runs]
        to_go = sum(len(group.to_go) for group in seen.groups)
        done, live = len(runs) - to_go, sum(run.state == "live" for run in runs)
        count = f"{done} of {figures.plural(len(runs), 'run')}" + (f", {live} live" if live else "")
        about = f"{fraction * 100:.0f} %"
        self.query_one(StudyHead).show(
            seen, self.state, fraction=fraction, count=count, says=self.sentences_of(seen), about=about
        )
        self.set_class(board.heat is not None, "-heat-is-there")
        self.set_class(board.frontier is not None, "-front-is-there")
        self.set_class(board.heat is None and board.frontier is None, "-no-picture")
        self.query_one("#members-head", SectionLine).set(
            title=_settings(seen, 2).partition(" ")[2].capitalize()
        )
        table = self.query_one(SettingsTable)
        head, rows = board_lines(board, max(20, table.room))
        table.show(head, rows, [row.setting for row in board.rows])
        self._show_beside()
        self.refresh_bindings()

    def _show_beside(self) -> None:
        seen = self.looked
        if seen is None or seen.board is None:
            return
        board = seen.board
        picture = not (self.has_class("-says") or (board.heat is None and board.frontier is None))
        self.query_one(HeatView).show(board.heat, self._selected_values(board))
        if board.frontier is not None:
            slug = seen.plan.settings[self.setting].slug
            here = next((place for place in board.frontier.mine if place.run == slug), None)
            self.query_one(SearchFront).draw(replace(board.frontier, selected=here))
        says = self.query_one("#says", SheetLines)
        head = self.query_one("#beside-head", SectionLine)
        head.display = board.frontier is None or not picture  # the front has a title of its own
        head.set(title="Mean accuracy at the end" if picture else "What it shows")
        width = (says.size.width or self.size.width) - 3
        says.set([*([[]] if picture else []), *sentences(self.sentences_of(seen)[1:], width, first="")])

    def _selected_values(self, board: Board) -> tuple[str, str] | None:
        """Of the setting under the cursor."""
        row = self.row_at(self.query_one(SettingsTable).cursor)
        return (row.cells[1], row.cells[2]) if row is not None and board.heat is not None else None

    def row_at(self, index: int) -> BoardRow | None:
        """The row of a line of the table."""
        board = self.looked.board if self.looked is not None else None
        return board.rows[index] if board is not None and 0 <= index < len(board.rows) else None

    # -- keys ------------------------------------------------------------------------------------

    @on(SettingsTable.Moved)
    def _moved(self) -> None:
        """The heat map marks the setting under the cursor."""
        self._show_beside()

    def open_at(self, index: int) -> None:
        """The seeds of a setting in a monitor of their own."""
        row = self.row_at(index)
        if row is not None and self.watcher is not None:
            shell(self).show_study(self.watcher, row.setting, self.readonly)

    def on_heat_view_chosen(self, event: HeatView.Chosen) -> None:
        """The cursor of the table goes there too."""
        table, board = self.query_one(SettingsTable), self.looked.board if self.looked is not None else None
        rows = board.rows if board is not None else ()
        at = next((n for n, row in enumerate(rows) if row.cells[1:3] == event.values), table.cursor)
        table.cursor = at
        if event.opened:
            self.open_at(at)

    def action_heat(self) -> None:
        self._instead("-picture", HeatView)

    def action_front(self) -> None:
        self._instead("-picture", SettingsTable)

    def action_says(self) -> None:
        self._instead("-says", SheetLines)

    def _instead(self, name: str, pane: type[HeatView | SettingsTable | SheetLines]) -> None:
        shown = not self.has_class(name)
        self.remove_class("-picture", "-says")
        self.set_class(shown, name)
        self.query_one(pane if shown else SettingsTable).focus()
        self.show_again()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A heat map is there of two swept settings alone, a front of a search."""
        if action in ("heat", "front"):
            return self.has_class(f"-{action}-is-there")
        return super().check_action(action, parameters)

    @property
    def setting(self) -> int:
        """That under the cursor."""
        row = self.row_at(self.query_one(SettingsTable).cursor)
        return row.setting if row is not None else 0


def _settings(seen: StudyLook, count: int) -> str:
    words = {"reproduction": "system", "search": "network"}
    return figures.plural(count, words.get(seen.plan.kind, "setting"))


def board_lines(board: Board, room: int) -> tuple[Parts, list[Parts]]:
    """The heading and the rows, with as many columns as there is room for; the state of each setting last.

    Where even those that never give way don't fit, the swept values come last, in one text that is cut.
    """
    widths = [
        max(cell_len(column.title), *(cell_len(row.cells[n]) for row in board.rows))
        for n, column in enumerate(board.columns)
    ]
    widths = [min(width, c.most) if c.most else width for width, c in zip(widths, board.columns, strict=True)]
    room -= CURSOR + STATE

    def too_wide() -> bool:
        return sum(widths[n] + GAP for n in shown) > room

    shown: list[int] = []
    for rank in sorted({column.rank for column in board.columns}):
        for n in (n for n, column in enumerate(board.columns) if column.rank == rank):
            shown = sorted([*shown, n])
            if rank and too_wide():
                shown.remove(n)
    values = [n for n in shown if board.columns[n].is_value]
    in_one = values if too_wide() else []
    shown = [n for n in shown if n not in in_one]
    head = Line().to(CURSOR, "dim underline")
    for n in shown:
        column = board.columns[n]
        head.add(column.title, "dim underline", widths[n], right=not column.text).add(
            " " * GAP, "dim underline"
        )
    head.add("state".ljust(STATE), "dim underline")
    if in_one:
        head.add("setting", "dim underline")
    return head, [_line(board, row, shown, widths, in_one) for row in board.rows]


def _line(board: Board, row: BoardRow, shown: list[int], widths: list[int], in_one: list[int]) -> Parts:
    line, best = Line(), board.has_best and row is board.rows[0]
    for n in shown:
        column = board.columns[n]
        style = "good bold" if best and column.is_main else "bold" if column.is_main else ""
        line.add(visible(row.cells[n]), style, widths[n], right=not column.text).add(" " * GAP)
    glyph, word, _ = state_look(row.state)
    line.add(f"{glyph} {word}", state_style(row.state), STATE)
    if in_one:
        line.add(", ".join(f"{board.columns[n].title} {visible(row.cells[n])}" for n in in_one))
    return line
