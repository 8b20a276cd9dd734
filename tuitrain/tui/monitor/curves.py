"""The curves of a run: what each chart shows and what its title says. No textual."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.tui.paint.axes import Curve, Pattern, Picture, Quantity, horizon, value_text
from tuitrain.tui.paint.text import Part, Parts, cells
from tuitrain.watch.ghosts import PUBLISHED
from tuitrain.watch.state import Ghost, MonitorState, ahead

TITLES: dict[Quantity, str] = {"accuracy": "Accuracy %", "loss": "Loss", "rate": "Learning rate"}
SIGNS: dict[Pattern, str] = {"solid": "━", "dash": "╌", "dot": "·", "dashdot": "╌·"}
#: How the curves beside the run look: an earlier run, what was published.
LOOKS: tuple[tuple[str, Pattern], ...] = (("warn", "dashdot"), ("second", "dot"))
NO_RUN = "No run is shown: start one in the Lab (1) or open one in Runs (3)."
SMOOTHING = 0.6  # of the old value; TensorBoard's default


def smoothed(values: Sequence[float | None]) -> tuple[float | None, ...]:
    """An exponential moving average, begun without a bias to zero; gaps stay gaps."""
    out: list[float | None] = []
    mean, weight = 0.0, 0.0
    for value in values:
        if value is None or not math.isfinite(value):
            out.append(None)
            continue
        mean, weight = SMOOTHING * mean + (1 - SMOOTHING) * value, SMOOTHING * weight + (1 - SMOOTHING)
        out.append(mean / weight)
    return tuple(out)


def picture(
    state: MonitorState,
    ghosts: Sequence[Ghost],
    quantity: Quantity,
    *,
    smooth: bool = False,
    logarithmic: bool = False,
    cursor: int | None = None,
    plan: tuple[float | None, ...] = (),
) -> Picture:
    """What the chart of a quantity shows; `plan` is the schedule as the preset has it."""
    curves = _own(state, quantity, smooth)
    if quantity == "accuracy":
        curves += [_ghost(g, g.test_acc) for g in ghosts]
    elif quantity == "loss":
        curves += [_ghost(g, g.test_loss) for g in ghosts if g.test_loss]
    else:
        curves += [Curve("schedule", plan, "second", "dot", "beside")] if plan else []
    target = state.target / 100 if quantity == "accuracy" and state.target is not None else None
    epochs = horizon(state.epochs[-1].epoch if state.epochs else 0, state.planned)
    return Picture(tuple(curves), epochs, quantity, target, logarithmic, cursor)


def _own(state: MonitorState, quantity: Quantity, smooth: bool) -> list[Curve]:
    judged = state.history.judged_by
    if quantity == "rate":
        return [Curve("rate", _by_epoch(state, "lr"), "primary bold")]
    names = ("test_acc", "train_acc") if quantity == "accuracy" else ("test_loss", "train_loss")
    test, train = (_by_epoch(state, name) for name in names)
    averaged = _by_epoch(state, f"ema_{names[0]}")
    if smooth:
        test, train, averaged = smoothed(test), smoothed(train), smoothed(averaged)
    curves = [Curve(judged, test, "primary bold"), Curve("train", train, "good", "dash", "end")]
    if state.history.averages:
        curves.insert(1, Curve("ema", averaged, "accent", "solid", "end"))
    return curves


def _by_epoch(state: MonitorState, name: str) -> tuple[float | None, ...]:
    values: list[float | None] = [None] * (state.epochs[-1].epoch if state.epochs else 0)
    for e in state.epochs:
        values[e.epoch - 1] = getattr(e, name)
    return tuple(values)


def _ghost(ghost: Ghost, values: tuple[float | None, ...]) -> Curve:
    style, pattern = LOOKS[ghost.name == PUBLISHED]
    return Curve(ghost.name, values, style, pattern, "beside")


def title(state: MonitorState, ghosts: Sequence[Ghost], shown: Picture, *, smooth: bool, width: int) -> Parts:
    """A chart's title: what each line is, or the values under the cursor."""
    if state.started is None:
        starting = state.phase != "waiting"
        return ((f"The run is about to start: {visible(state.phase)}…" if starting else NO_RUN, "dim"),)
    parts: list[Part] = [(f"{TITLES[shown.quantity]}", "bold")]
    flags = [name for name, on in (("log", shown.logarithmic), ("smooth", smooth)) if on]
    if flags:
        parts.append((f" {' '.join(flags)}", "accent"))
    if shown.cursor is not None:
        parts.append((f"  epoch {shown.cursor}", "accent"))
    target: Parts = ()
    if shown.target is not None and shown.cursor is None:
        target = (("  ┈", "faint"), (f" target {figures.percent_text(shown.target)}", "dim"))
    for told in (" at this epoch", "", None):  # the names of all lines come before how far they are apart
        names = _names(state, ghosts, shown, told)
        if cells((*parts, *names)) <= width:
            break
    parts += names
    return (*parts, *target) if cells((*parts, *target)) <= width else tuple(parts)


def _names(state: MonitorState, ghosts: Sequence[Ghost], shown: Picture, told: str | None) -> Parts:
    """The curves' signs and names, with the value under the cursor or how far the run is ahead of them.

    `told` follows how far the run is ahead of the first ghost; None leaves that out for all.
    """
    parts: list[Part] = []
    by_name = {g.name: g for g in ghosts}
    for curve in shown.curves:
        text = f" {curve.name}"
        if shown.cursor is not None:
            text += f" {_value(shown, curve, shown.cursor)}"
        elif told is not None and shown.quantity == "accuracy" and curve.name in by_name:
            by = ahead(state, by_name[curve.name])
            if by is not None:
                text += f": {figures.comparison_text(by)}{told if curve.name == ghosts[0].name else ''}"
        parts += [(f"  {SIGNS[curve.pattern]}", curve.style), (text, "dim")]
    return tuple(parts)


def _value(shown: Picture, curve: Curve, epoch: int) -> str:
    value = curve.values[epoch - 1] if 1 <= epoch <= len(curve.values) else None
    return value_text(shown.quantity, value)
