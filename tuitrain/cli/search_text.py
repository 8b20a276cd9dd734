"""What a search has found, on a page: its front as a table and as a chart, and the files that it leaves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuitrain import config
from tuitrain.cli.console import stderr
from tuitrain.cli.study_view import Below, Redrawn
from tuitrain.errors import visible
from tuitrain.figures import plural
from tuitrain.watch.search import SearchBoard, trial_row, trial_titles

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuitrain.study.plan import Plan
    from tuitrain.watch.group import Group

CHART_LINES, MOST_ROWS = 18, 30
_PUBLISHED, _OTHER, _FRONT = "○", "•", "■"
#: Where only ASCII can be shown.
_PLAIN = str.maketrans({_PUBLISHED: "o", _OTHER: ".", _FRONT: "#", "│": "|", "┤": "+", "└": "+", "─": "-"})


def front_table(board: SearchBoard) -> RenderableType:
    """The networks of the front, the smallest first."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in trial_titles():
        table.add_column(
            title, justify="left" if title in ("network", "schedule") else "right", no_wrap=title == "network"
        )
    best = board.smallest
    for trial in board.front[-MOST_ROWS:]:
        table.add_row(*map(visible, trial_row(board, trial)), style="bold" if trial is best else "")
    return table


def search_picture(board: SearchBoard, width: int) -> RenderableType:
    """The table, and the chart above it."""
    from rich.console import Group as Stack
    from rich.text import Text

    if not board.front:
        return Text("no network has a result yet")
    return Stack(*front_chart(board, width), Text(), front_table(board))


def front_chart(board: SearchBoard, width: int) -> list[RenderableType]:
    """Accuracy over parameters: the front over the other networks and the published systems."""
    from rich.text import Text

    from tuitrain.cli.painted import painted
    from tuitrain.report.front import size_ticks
    from tuitrain.tui.paint.plot import XY, plot
    from tuitrain.watch.frontier import in_sight

    shown = in_sight(board.frontier)
    front = {place.run for place in shown.front}

    def dots(places: Any, style: str, mark: str) -> list[XY]:
        return [XY(((math.log10(p.parameters), 100 * p.accuracy),), style, mark) for p in places]

    places = [*shown.mine, *shown.published]
    sizes = [place.parameters for place in places]
    left, right = math.log10(min(sizes)) - 0.03, math.log10(max(sizes)) + 0.03
    stairs: list[tuple[float, float]] = []
    for place in shown.front:
        at = math.log10(place.parameters)
        stairs += [(at, stairs[-1][1])] if stairs else []
        stairs.append((at, 100 * place.accuracy))
    curves = [*dots(shown.front, "good", _FRONT), XY((*stairs, (right, stairs[-1][1])), "faint")]
    if board.target is not None:
        curves.append(XY(((left, board.target), (right, board.target)), "accent"))
    curves += dots((p for p in shown.mine if p.run not in front), "primary", _OTHER)
    curves += dots(shown.published, "second", _PUBLISHED)
    labels = [(math.log10(size), f"{size:,}") for size in size_ticks(10**left, 10**right)]
    lines = plot(curves, min(100, width - 1), CHART_LINES, labels, (left, right))
    texts = [Text.assemble(painted(parts), no_wrap=True, overflow="crop") for parts in lines]
    target = f", line: target {board.target:g} %" if board.target is not None else ""
    published = f", {_PUBLISHED} published systems" if shown.published else ""
    key = Text(f"{_FRONT} the front, {_OTHER} other networks{published}{target}", style="dim")
    judged = Text(shown.judged_text(), style="dim")
    head = Text.assemble(("accuracy", "bold"), f" in percent over parameters, {visible(board.dataset)}")
    if only_ascii():
        return [Text(_ascii(text.plain)) for text in (head, *texts, key, judged)]
    return [head, *texts, key, judged]


def only_ascii() -> bool:
    """Whether drawing characters can't be shown: the setting `ascii`, or an encoding that has none."""
    encoding = (getattr(stderr().file, "encoding", "") or "").lower().replace("-", "")
    return bool(config.setting("ascii", None)) or not encoding.startswith("utf")


def _ascii(text: str) -> str:
    return "".join("." if 0x2800 < ord(char) <= 0x28FF else char for char in text).translate(_PLAIN)


def judge_command(plan: Plan, board: SearchBoard, study: Path) -> str:
    """The command that judges on the test set what was looked for, with other seeds; empty before there is any."""
    from tuitrain.report.front import FRONT
    from tuitrain.study.search_result import front_presets

    wanted = board.smallest or (board.front[-1] if board.front else None)
    found = front_presets(plan, board, study / FRONT)
    return next((one.command for one in found if one.trial is wanted), "")


class FrontView(Redrawn):
    """A search on a terminal, redrawn in place: how far it is, its front, and the members that train."""

    def __init__(self, board: Callable[[Sequence[Group]], SearchBoard], lines: Below) -> None:
        self._board = board
        super().__init__(lines)

    def head(self, groups: Sequence[Group]) -> RenderableType:
        """A bar, and how many networks have been trained."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        board = self._board(groups)
        open_ = sum(bool(group.to_go) for group in groups)
        grid = Table.grid(padding=(0, 2))
        done = len(board.trials) - open_
        bar = ProgressBar(total=1.0, completed=done / max(1, board.wanted), width=30)
        grid.add_row(bar, f"{done} of {plural(board.wanted, 'network')}")
        return grid

    def body(self, groups: Sequence[Group]) -> list[RenderableType]:
        """The front."""
        board = self._board(groups)
        return [front_table(board)] if board.front else []
