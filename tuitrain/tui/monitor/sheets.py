"""The monitor's sheets as painted lines: epochs, log, network, verdict, maps, the report. No textual."""

from __future__ import annotations

import math
import re
import time as clock
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.spec.table import NetworkTable
from tuitrain.tui.paint.bars import bar
from tuitrain.tui.paint.text import HeadedLines, Line, Part, Parts, cells, cut, wrap
from tuitrain.watch import norms
from tuitrain.watch.state import Ghost, MonitorState, ahead
from tuitrain.watch.verdict import Verdict, verdict_of

if TYPE_CHECKING:
    from tuitrain.training.events import EpochFinished
    from tuitrain.tui.paint.digits import Ink
    from tuitrain.watch.maps import ShownMaps


LEVEL_STYLES = {"info": "", "good": "good", "warning": "warn", "error": "bad"}
LEVEL_MARKS = {"info": " ", "good": "✓", "warning": "▲", "error": "✗"}
NORMS_WIDE = 104  # cells from which on all norms have room beside the table
MARKS = {True: ("✓ ", "good"), False: ("✗ ", "bad"), None: ("· ", "dim")}


# ---------------------------------------------------------------------------------- epochs


def epochs(state: MonitorState, ghosts: Sequence[Ghost] = ()) -> HeadedLines:
    """A line an epoch: accuracies in percent, losses, how far train is above test, learning rate, seconds.

    Where some time was spent waiting for data, its share of the training time is there too.
    """
    ghost = ghosts[0] if ghosts else None
    against = "ahead" if ghost else ""
    averages = state.history.averages  # in the place of the waiting, as the line is full
    waits = not averages and any(_wait_percent(e) >= 1 for e in state.epochs)
    judge = "val" if state.history.judged_by == "validation" else "test"
    columns = [
        ("epoch", 5),
        (f"{judge} %", 9),
        ("loss", 8),
        *([("ema %", 8)] if averages else []),
        ("train %", 8),
        ("loss", 8),
        ("gap", 7),
        ("lr", 9),
        ("seconds", 8),
    ]
    columns += [("wait %", 7)] if waits else []
    heading = "".join(f"{name:>{width}}" for name, width in columns) + f"{against:>8}"
    best, hits = state.best.epoch if state.best else 0, set(state.hits)
    rows: list[Parts] = []
    for e in state.epochs:
        hit = e.epoch in hits
        mark = "★" if e.epoch == best else "✓" if hit else " "
        style = "accent" if e.epoch == best else "good" if hit else ""
        beside = ghost.test_acc[e.epoch - 1] if ghost and e.epoch <= len(ghost.test_acc) else None
        line = Line().add(f"{e.epoch:5}").add(f" {mark} {figures.percent_text(e.test_acc):>6}", style)
        line.add(f" {figures.loss_text(e.test_loss):>7}")
        line.add(f" {figures.percent_text(e.ema_test_acc):>7}" if averages else "")
        line.add(f" {figures.percent_text(e.train_acc):>7} {figures.loss_text(e.train_loss):>7}", "dim")
        line.add(f" {figures.signed_points_text(e.train_acc - e.test_acc):>6}")
        line.add(f" {figures.rate_text(e.lr):>8} {e.train_s + e.test_s:7.1f}", "dim")
        if waits:
            line.add("–" if e.data_wait_s is None else f"{_wait_percent(e):.0f}", "dim", 7, right=True)
        rows.append(line.add(*_difference(None if beside is None else e.test_acc - beside)))
    if rows:
        judge = state.history.judged_by
        rows.append(((f" gap: train accuracy above (+) or below (−) {judge}, in points", "dim"),))
        if ghost:
            rows.append(
                ((f" ahead: {judge} accuracy above (+) or below (−) {ghost.name}, in points", "dim"),)
            )
        if averages:
            rows.append(((f" ema: {judge} accuracy of the averaged weights, beside the run's own", "dim"),))
    return ((heading, "dim underline"),), rows


def _wait_percent(epoch: EpochFinished) -> float:
    return 100 * min(1.0, (epoch.data_wait_s or 0.0) / epoch.train_s) if epoch.train_s > 0 else 0.0


def _difference(value: float | None) -> Part:
    if value is None or not math.isfinite(value):
        return ("", "")
    level = abs(value) < figures.LEVEL
    return (f"  {figures.signed_points_text(value):>6}", "dim" if level else "good" if value > 0 else "warn")


# ---------------------------------------------------------------------------------- log


def log(state: MonitorState, width: int) -> HeadedLines:
    """What happened, with the time of day; long lines go on below themselves."""
    rows: list[Parts] = []
    for line in state.log:
        when = clock.strftime("%H:%M:%S", clock.localtime(line.time)) if line.time else "        "
        style = LEVEL_STYLES[line.level]
        mark = f"{LEVEL_MARKS[line.level]} "
        rows += wrap(((f" {when}  ", "dim"), (mark, style), (line.text, style)), width - 2, 13)
    return ((" time        what happened", "dim underline"),), rows


# ---------------------------------------------------------------------------------- network


def network(
    table: NetworkTable, budget: int | None = None, last: EpochFinished | None = None, width: int = 80
) -> HeadedLines:
    """torchinfo's table: layer, output, kernel, parameters with share bars, multiply-adds, receptive field.

    The norms of the latest epoch have columns of their own: how far a step moves the weights, and where there is room
    those of weights and gradients.
    """
    found = norms.layer_norms(last)
    wide, cells = width >= NORMS_WIDE, 8 if not found or width >= NORMS_WIDE else 3
    heading = f" layer               output    kernel  params{'':{cells}}    mult-adds  field"
    if found:
        heading += "   weights  gradient    update" if wide else " update"
    most = max((row.parameters for row in table.rows), default=0) or 1
    rows: list[Parts] = []
    for row in table.rows:
        shape = figures.shape_text(row.output_shape)
        label = f"   {row.label}" if row.is_op else f" {row.title}"
        line = Line().add(f"{label:20.20} {shape:10}{row.kernel:5}", "dim" if row.is_op else "")
        line.add(f"{row.parameters:>9,} " if row.parameters else " " * 10)
        line.add(f"{bar(row.parameters / most, cells):{cells}}", "primary")
        line.add(f"{row.mult_adds:>11,}" if row.mult_adds else " " * 11, "dim")
        if not row.is_op:
            line.add(f"{row.field_text:>7}", "dim")
            line += _norms(found[row.name], wide) if row.name in found else ()
        rows.append(line)
    total = f" {table.parameters:,} parameters"
    if budget:
        total += f" of {budget:,} ({100 * table.parameters / budget:.1f} %)"
    rows.append(())
    over = budget is not None and table.parameters > budget
    rest = f", {figures.short_count_text(table.mult_adds)} multiply-adds, receptive field {table.rows[-1].field_text}"
    rows.append(((total, "bad" if over else "bold"), (rest, "dim")))
    if found and last is not None:
        rows += [((line, "dim"),) for line in _about_norms(last)]
    return ((heading, "dim underline"),), rows


def own_network(last: EpochFinished | None) -> HeadedLines:
    """Of a network in Python there is no table here, but what its weights do."""
    found = norms.layer_norms(last)
    heading = " the table of a network in Python is in the run's summary.txt"
    if not found or last is None:
        return ((heading, "dim underline"),), []
    rows: list[Parts] = [((f"{'':33}weights  gradient    update", "dim"),)]
    rows += [((f" {name:28.28}", ""), *_norms(layer, True)) for name, layer in found.items()]
    return ((heading, "dim underline"),), [*rows, (), *(((line, "dim"),) for line in _about_norms(last))]


def _norms(layer: norms.LayerNorms, wide: bool) -> Parts:
    """The columns of a layer's norms; an arrow at an update that is far off."""
    arrow, style = {1: ("↑", "bad"), -1: ("↓", "bad"), 0: (" ", "")}[layer.far_off]
    update = (f"{norms.update_text(layer.update):>{10 if wide else 8}}{arrow}", style)
    return ((f"{layer.weight:>11.3g}{layer.gradient:>10.3g}", "dim"), update) if wide else (update,)


def _about_norms(last: EpochFinished) -> tuple[str, ...]:
    return (
        f" update: how far the last step of epoch {last.epoch} moved weights, over their norm.",
        f" About {norms.update_text(norms.HEALTHY)} is healthy; above {norms.TOO_FAR:g} (↑) or below "
        f"{norms.update_text(norms.TOO_LITTLE)} (↓) it is far off.",
    )


# ---------------------------------------------------------------------------------- verdict


def verdict(
    state: MonitorState,
    ghosts: Sequence[Ghost],
    width: int,
    *,
    can_go_on: bool = False,
    has_report: bool = False,
) -> HeadedLines:
    """How the run did against the challenge and the claims, and what to do next."""
    if state.started is None or state.finished is None:
        return ((" the verdict comes when the run has ended", "dim"),), []
    found, rows = verdict_of(state.history), list[Parts]()
    mark, style = MARKS[found.met] if found.points else ("", "bold")
    title: Parts = ((f" {mark}{found.challenge[:1].upper()}{found.challenge[1:]}", style),)
    if found.message:
        rows += wrap(((f" {found.message}", "warn"),), width, 1)
    for point in found.points:
        mark, style = MARKS[point.met]
        line = Line().add(f"   {mark}", style).add(f"{visible(point.point):15.15}")
        line.add(f" {visible(point.got):28.28}", "bold" if point.met is not False else "bad")
        rows.append(line.add(f" {visible(point.wanted)}", "dim"))
    if found.figures:
        wide = max(len(figure.label) for figure in found.figures)
        head = f"   {'':{wide}}  {'here':>9}" + ("    claimed" if found.claims_any else "")
        rows += [(), ((head, "dim underline"),)]
    for number, figure in enumerate(found.figures):
        line = Line().add(f"   {figure.label:{wide}}").add(f"  {figure.here:>9}", "bold")
        line.add(f"  {figure.claimed:>9}" if found.claims_any else "", "dim")
        if number == 0 and found.ahead is not None:
            level = abs(found.ahead) < figures.LEVEL
            by = "the same" if level else figures.signed_points_text(found.ahead)
            line.add(f"  {by}", "good" if found.ahead >= -figures.LEVEL else "warn")
        rows.append(line)
    rows.append(())
    rows += [line for remark in found.remarks for line in wrap(((f" {remark}", "dim"),), width, 1)]
    rows += [(), ((" What next", "bold"),)]
    rows += [
        line for tip in _next(state, found, ghosts, can_go_on, has_report) for line in wrap(tip, width - 3, 6)
    ]
    return title, rows


def _next(
    state: MonitorState,
    found: Verdict,
    ghosts: Sequence[Ghost],
    can_go_on: bool,
    has_report: bool,
) -> list[Parts]:
    tips: list[Parts] = []

    def tip(key: str, text: str) -> None:
        tips.append(((f"   {key}  ", "accent"), (text, "")))

    if found.remedy:
        tip("1", f"back to the Lab with this preset: {found.remedy}")
    if can_go_on:
        saved = state.history.checkpoint
        at = f"epoch {state.epoch + 1}"
        if saved is not None and saved.step:
            at = f"epoch {saved.epoch + 1}, step {saved.step}"
        tip("R", f"resume it where it ended: {at}")
    tip("a", "another seed: one run is one draw, the spread is the result")
    earlier = next((g for g in ghosts if g.name != "published"), None)
    if earlier is not None and (by := ahead(state, earlier)) is not None:
        tip("3", f"compare in Runs: against the best earlier run it ended {figures.comparison_text(by)}")
    else:
        tip("3", "compare it with other runs, side by side")
    if has_report:
        tip("enter", "open the report")
    return tips


# ---------------------------------------------------------------------------------- maps


def maps(shown: ShownMaps | None, width: int, ink: Ink) -> HeadedLines:
    """The first maps of each layer, as many as stand beside each other."""
    from tuitrain.tui.paint.maps import network_lines  # imports numpy, of which the other sheets have no need

    if shown is None or shown.found is None:
        text = shown.problem if shown is not None else "reading the network …"
        return ((f" {text}", "dim underline"),), []
    chances = shown.found.probabilities
    said = int(chances.argmax())
    name = visible(shown.classes[said]) if shown.classes else str(said)
    heading = f" test image {shown.image} {shown.after}: taken for {name}, {figures.accuracy_text(float(chances[said]))}"
    keys = "← → another image"
    if len(heading) + len(keys) + 3 <= width:
        heading += f"   {keys}"
    lines = network_lines(shown.found.layers, width - 2, ink, small=True, rows=1)
    return ((heading, "dim underline"),), lines


_PICTURE = re.compile(r"!\[(.*)\]\(([^)]*)\)")
_ESCAPED = re.compile(r"\\(.)")
#: Two spaces between columns.
_GAP = 2


def report_sheet(lines: Sequence[str], width: int) -> HeadedLines:
    """The lines of a Markdown file as they are drawn in so many columns."""
    rows: list[Parts] = []
    table: list[str] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            rows += _table(table, width)
            table = []
        if line.startswith("```"):
            continue
        if picture := _PICTURE.fullmatch(line):
            rows += wrap(((f" {picture[2]}: {_plain(picture[1])}", "dim"),), width, 1)
            continue
        if line.startswith("#"):
            rows.append(((f" {_plain(line.lstrip('# '))}", "bold"),))
        elif line or (rows and rows[-1]):
            indent = 3 if line.startswith("- ") else 1
            rows += wrap(tuple(_parts(f" {line}")), width, indent) if line else [()]
    while rows and not rows[-1]:
        rows.pop()
    return ((" report.md (enter closes it)", "dim underline"),), rows


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _parts(text: str) -> Iterable[Part]:
    """What is between pairs of asterisks is emphasised."""
    for n, part in enumerate(text.rstrip().split("**")):
        if part:
            yield _plain(part), "bold" if n % 2 else ""


def _table(lines: Sequence[str], width: int) -> list[Parts]:
    """A table in columns that are as wide as their widest cell; the second line tells which are aligned right."""
    cells_of = [[_plain(cell.strip(" ")) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    head, marks, *body = cells_of if len(cells_of) > 1 else [*cells_of, []]
    right = [mark.endswith(":") for mark in marks] + [False] * len(head)
    wide = [
        max(cells(((row[n] if n < len(row) else "", ""),)) for row in (head, *body)) for n in range(len(head))
    ]
    out: list[Parts] = []
    for row in (head, *body):
        drawn = Line().add(" ")
        for n, cell in enumerate(row[: len(head)]):
            drawn.add(cell, "dim" if row is head else "", wide[n], right=right[n]).add(" " * _GAP)
        out.append(cut(drawn, width))
    return out
