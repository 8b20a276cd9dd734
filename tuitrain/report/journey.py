"""Several runs side by side, in the order in which they are named: what each step changed, cost and gained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, elapsed_text, plural, points_text
from tuitrain.report.curves import Chart, Line, Look, svg
from tuitrain.report.document import Block, Document, Facts, Heading, Paragraph, Picture, Table, Tile, Tiles
from tuitrain.report.steps import Step, steps_svg
from tuitrain.watch.evidence import SINGLE_RUNS

if TYPE_CHECKING:
    from tuitrain.runs.history import History
    from tuitrain.watch.evidence import Evidence

#: So many curves can be told apart by their colours; of more, the best and the last stand out of the others.
_LOOKS: tuple[Look, ...] = ("here", "there", "third", "fourth", "fifth", "train")


@dataclass(frozen=True)
class Stop:
    """A run of the journey.

    Attributes:
        label: what it is called.
        history: of the run.
        evidence: it compared with the run before it; None of the first, or where they can't be compared.
    """

    label: str
    history: History
    evidence: Evidence | None = None


def journey_report(stops: Sequence[Stop], apart: str | None = None) -> Document:
    """The report of several runs.

    Args:
        stops: two runs or more; each has a finished epoch.
        apart: why their accuracies can't be compared; None where they can.
    """
    labels = [visible(stop.label) for stop in stops]
    blocks: list[Block] = []
    if apart is not None:
        blocks.append(Paragraph(f"They were {visible(apart)}.", emphasis=True))
    blocks += [
        Tiles(_tiles(stops, labels, comparable=apart is None)),
        _picture(stops, labels),
        _curves(stops, labels),
    ]
    blocks += [Heading("Step by step"), _table(stops, labels), Heading("What each step changed")]
    blocks.append(Facts(tuple(_step(*pair) for pair in pairwise(stops))))
    if any(stop.evidence is not None for stop in stops):
        blocks.append(Paragraph(SINGLE_RUNS))
    commands = tuple(
        (label, visible(stop.history.started.command))
        for label, stop in zip(labels, stops, strict=True)
        if stop.history.started is not None and stop.history.started.command
    )
    if commands:
        blocks += [Heading("How to repeat it"), Facts(commands)]
    data = ", ".join(
        sorted({visible(s.history.started.dataset) for s in stops if s.history.started is not None})
    )
    lead = (
        f"{plural(len(stops), 'run')} on {data}, in the order in which they were named: {', '.join(labels)}."
    )
    return Document(f"{labels[0]} to {labels[-1]}", plural(len(stops), "run"), "", lead, tuple(blocks))


def labels_of(runs: Sequence[tuple[str, History]]) -> list[str]:
    """What each run, with the name of its directory, is called: its preset, or where that is not enough that name."""
    names = []
    for name, history in runs:
        preset = history.started.name if history.started is not None else name
        names.append(history.user_network or preset)
    return [label if names.count(label) == 1 else name for label, (name, _) in zip(names, runs, strict=True)]


def _parameters(stop: Stop) -> int:
    return stop.history.started.parameters if stop.history.started is not None else 0


def _best(stop: Stop) -> float:
    return stop.history.best.test_acc if stop.history.best is not None else math.nan


def _tiles(stops: Sequence[Stop], labels: Sequence[str], *, comparable: bool) -> tuple[Tile, ...]:
    first, last = stops[0], stops[-1]
    tiles = []
    known = [n for n, stop in enumerate(stops) if math.isfinite(_best(stop))]
    if comparable and known:
        top = max(known, key=lambda n: _best(stops[n]))
        tiles.append(Tile("best accuracy", accuracy_text(_best(stops[top])), labels[top]))
        gain = _best(last) - _best(first)
        if math.isfinite(gain):
            sign = "+" if gain >= 0 else "−"
            tiles.append(
                Tile("from first to last", f"{sign}{points_text(gain)}", "points, at the best epochs")
            )
    before, after = _parameters(first), _parameters(last)
    if before:
        tiles.append(
            Tile("parameters", f"{after:,}", f"{100 * after / before:.1f} % of the first step's {before:,}")
        )
    reached = [n for n, stop in enumerate(stops) if stop.history.at_target]
    if comparable and any(stop.history.target for stop in stops):
        least = min(reached, key=lambda n: _parameters(stops[n]), default=None)
        note = f"fewest parameters: {labels[least]}" if least is not None else ""
        tiles.append(Tile("reached their target", f"{len(reached)} of {len(stops)}", note))
    took = sum(stop.history.seconds for stop in stops)
    tiles.append(Tile("took", elapsed_text(took), "together"))
    return tuple(tiles)


def _picture(stops: Sequence[Stop], labels: Sequence[str]) -> Picture:
    steps = []
    for label, stop in zip(labels, stops, strict=True):
        started, published = stop.history.started, stop.history.published
        claims = published.on(started.dataset) if published is not None and started is not None else None
        claim = claims.test_accuracy if claims is not None and stop.history.judged_by == "test" else None
        last = stop.history.last
        steps.append(
            Step(
                label, _parameters(stop), _best(stop), last.test_acc if last is not None else math.nan,
                None if claim is None else claim / 100,
            )
        )  # fmt: skip
    targets = {stop.history.target for stop in stops}
    target = targets.pop() if len(targets) == 1 else None
    return Picture(
        "steps.svg",
        steps_svg(steps, None if target is None else target / 100),
        "Accuracy and parameters of each step",
    )


def _curves(stops: Sequence[Stop], labels: Sequence[str]) -> Picture:
    """The accuracy of all over the epochs."""
    lines = []
    ranked = max(range(len(stops)), key=lambda n: (_best(stops[n]) == _best(stops[n]), _best(stops[n])))
    few = len(stops) <= len(_LOOKS)
    others = False
    for n, (label, stop) in enumerate(zip(labels, stops, strict=True)):
        values: list[float | None] = [None] * max(e.epoch for e in stop.history.epochs)
        for e in stop.history.epochs:
            values[e.epoch - 1] = e.test_acc if math.isfinite(e.test_acc) else None
        if few:
            lines.append(Line(label, tuple(values), _LOOKS[n]))
        elif n in (ranked, len(stops) - 1):
            lines.append(Line(label, tuple(values), "here" if n == ranked else "there"))
        else:
            lines.insert(0, Line("" if others else "the others", tuple(values), "train"))
            others = True
    judges = {stop.history.judged_by for stop in stops}
    judge = judges.pop() if len(judges) == 1 else "judged"
    return Picture(
        "curves.svg",
        svg(Chart(f"{judge.capitalize()} accuracy over the epochs", lines=tuple(lines))),
        "All curves",
    )


def _table(stops: Sequence[Stop], labels: Sequence[str]) -> Table:
    head = ("step", "parameters", "best", "in epoch", "last", "epochs at target", "epochs", "took")
    rows = []
    for label, stop in zip(labels, stops, strict=True):
        history = stop.history
        best, last = history.best, history.last
        target = "–" if history.target is None else f"{len(history.at_target)} (of {history.target:g} %)"
        rows.append((
            label, f"{_parameters(stop):,}", accuracy_text(_best(stop)), str(best.epoch) if best is not None else "–",
            accuracy_text(last.test_acc if last is not None else None), target, str(len(history.epochs)),
            elapsed_text(history.seconds),
        ))  # fmt: skip
    top = max(range(len(stops)), key=lambda n: (_best(stops[n]) == _best(stops[n]), _best(stops[n])))
    return Table(head, tuple(rows), ("step",), strong=frozenset({top}))


def _step(one: Stop, two: Stop) -> tuple[str, str]:
    """What changed from one run to the next, and what that shows."""
    from tuitrain.spec.describe import describe_changes, layers_of
    from tuitrain.spec.preset import differences
    from tuitrain.watch.evidence import step_line

    old, new = one.history.preset, two.history.preset
    parts = []
    if (
        old is not None
        and new is not None
        and one.history.user_network is None
        and two.history.user_network is None
    ):
        trained = {k: pair for k, pair in differences(old, new).items() if not k.startswith("challenge.")}
        changes = ", ".join(map(str, describe_changes(trained, layers_of(new.to_dict()))))
        parts.append(f"{changes}." if changes else "No setting differs.")
    if _parameters(one) != _parameters(two):
        parts.append(f"Parameters {_parameters(one):,} → {_parameters(two):,}.")
    if two.evidence is not None:
        parts.append(step_line(two.evidence))
    return f"{visible(two.label)} after {visible(one.label)}", " ".join(parts)
