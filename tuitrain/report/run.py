"""The report of one run: what it was to reach, what was changed, what came of it, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tuitrain import figures
from tuitrain.data.catalog import DIGITS
from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, elapsed_text, loss_text, plural, rate_text, shape_text
from tuitrain.report.architecture import architecture_svg
from tuitrain.report.curves import Chart, Line, Mark, svg
from tuitrain.report.document import (
    Block,
    Code,
    Document,
    Facts,
    Heading,
    Paragraph,
    Picture,
    Table,
    Tile,
    Tiles,
)
from tuitrain.report.pictures import confusion_svg, mistakes_svg
from tuitrain.runs import wording
from tuitrain.watch.analysis import Finding, changes_made, findings
from tuitrain.watch.ghosts import published_run
from tuitrain.watch.verdict import NO_CHALLENGE, Verdict, verdict_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.runs.history import History
    from tuitrain.runs.inspect import Evaluations
    from tuitrain.training.events import EpochFinished

_MET = {True: "✓ met", False: "✗ missed", None: "open"}


def run_report(
    history: History, seen: Evaluations, images: NDArray[np.uint8] | None, classes: Sequence[str]
) -> Document:
    """The report of a run, at its end or so far; arguments as of `report_files`."""
    classes = classes or DIGITS
    found, started = verdict_of(history), history.started
    name = visible(started.name) if started is not None else "a run"
    if history.user_network is not None:
        name = f"{visible(history.user_network)} as {name}"
    data = f" on {visible(started.dataset)}" if started is not None else ""
    badge, kind = _badge(found)
    blocks: list[Block] = [Tiles(_tiles(history, found))]
    blocks += curves(history) if history.epochs else []
    blocks += [*_target(found), *_changed(history), *_result(found)]
    if analysis := findings(history, seen):
        blocks += [Heading("Analysis"), _facts(analysis)]
    last = seen.last
    if last is not None and len(last.labels):
        pictures = [
            Picture("confusion.svg", confusion_svg(last, classes), "What was taken for what, class by class")
        ]
        drawn = mistakes_svg(last, images, classes) if images is not None else None
        if drawn is not None:
            pictures.append(Picture("mistakes.svg", drawn, "The mistakes that the network was most sure of"))
        blocks += [Heading("Mistakes"), *pictures]
    blocks += _network(history)
    blocks += [Heading("Epochs"), _epochs(history)] if history.epochs else []
    blocks += _how(history)
    return Document(f"{name}{data}", badge, kind, _lead(history), tuple(blocks))


def _badge(found: Verdict) -> tuple[str, str]:
    """How it ended and whether the challenge was met, in a few words, and how good that is."""
    glyph, kind = figures.glyph_and_kind(found.outcome)
    ended = wording.state_text(found.outcome)
    if found.outcome not in ("completed", "stopped") or found.challenge == NO_CHALLENGE:
        return f"{glyph} {ended}", kind
    glyph, kind = {True: ("✓", "good"), False: ("✗", "bad"), None: (glyph, kind)}[found.met]
    return f"{glyph} {ended}, {found.challenge}", kind


def _lead(history: History) -> str:
    started = history.started
    if started is None:
        return ""
    when = datetime.fromtimestamp(history.began).astimezone().strftime("%Y-%m-%d %H:%M")
    took = f"{plural(len(history.epochs), 'epoch')} in {elapsed_text(history.seconds)}"
    device = visible(started.device_name or started.device)
    return f"Run {visible(started.run)}, seed {started.seed}: {took} on {device}, begun {when}."


def _tiles(history: History, found: Verdict) -> tuple[Tile, ...]:
    started, best, last = history.started, history.best, history.last
    judge = history.judged_by
    tiles = []
    if best is not None and last is not None:
        target = history.target
        kind = ("good" if history.at_target else "bad") if target is not None else ""
        note = (
            f"epoch {best.epoch}" if found.ahead is None else f"epoch {best.epoch}, {_claimed(found.ahead)}"
        )
        tiles.append(Tile(f"best {judge} accuracy", accuracy_text(best.test_acc), note, kind))
        tiles.append(
            Tile(
                f"last {judge} accuracy",
                accuracy_text(last.test_acc),
                f"epoch {last.epoch}{_of_average(last)}",
            )
        )
    if target := history.target:
        reached = len(history.at_target)
        tiles.append(
            Tile("target", f"{target:g} %", f"reached in {reached} of {plural(len(history.epochs), 'epoch')}")
        )
    if started is not None:
        limit = history.budget
        note = f"{100 * started.parameters / limit:.1f} % of {limit:,}" if limit else ""
        tiles.append(Tile("parameters", f"{started.parameters:,}", note))
    tiles.append(Tile("took", elapsed_text(history.seconds), _rate(history)))
    return tuple(tiles)


def _of_average(last: EpochFinished) -> str:
    return "" if last.ema_test_acc is None else f", averaged weights {accuracy_text(last.ema_test_acc)}"


def _claimed(ahead: float) -> str:
    text = figures.comparison_text(ahead)
    word, _, points = text.partition(" by ")
    if not points:
        return "level with its source"
    return f"{points} {'ahead of' if word == 'ahead' else 'behind'} its source"


def _rate(history: History) -> str:
    rates = [e.images_per_s for e in history.epochs if math.isfinite(e.images_per_s)]
    return f"{sum(rates) / len(rates):,.0f} images/s" if rates else ""


def _target(found: Verdict) -> list[Block]:
    if not found.points:
        return [Heading("Target"), Paragraph(f"{NO_CHALLENGE[0].upper()}{NO_CHALLENGE[1:]}.")]
    head = ("challenge", "point", "wanted", "got")
    rows = tuple((_MET[point.met], point.point, point.wanted, point.got) for point in found.points)
    return [Heading("Target"), Table(head, rows, head)]


def _changed(history: History) -> list[Block]:
    changes = changes_made(history)
    return [Heading("What was changed"), _facts(changes)] if changes else []


def _facts(found: Sequence[Finding]) -> Facts:
    return Facts(tuple((one.topic, one.text) for one in found))


def _result(found: Verdict) -> list[Block]:
    blocks: list[Block] = [Heading("Result"), Paragraph(found.title, emphasis=True)]
    if found.message:
        blocks.append(Paragraph(found.message))
    if found.remedy:
        blocks.append(Paragraph(f"What to do: {found.remedy}."))
    if found.figures:
        head = ("figure", "here", "claimed") if found.claims_any else ("figure", "here")
        rows = tuple((one.label, one.here, one.claimed)[: len(head)] for one in found.figures)
        blocks.append(Table(head, rows, ("figure",), strong=frozenset({0})))
    return [*blocks, *map(Paragraph, found.remarks)]


def curves(history: History) -> list[Picture]:
    """Accuracy and loss over the epochs, over the published ones where there are such."""
    started = history.started
    log = published_run(started) if started is not None else None
    name = visible(started.name) if started is not None else "run"
    data = f" on {visible(started.dataset)}" if started is not None else ""
    judge, target, best = history.judged_by, history.target, history.best

    def line(label: str, field: str) -> Line:
        return Line(label, _values(history.epochs, field), "train" if label == "train" else "here")

    def published(values: Sequence[float | None]) -> list[Line]:
        return [Line("published test", tuple(values), "there")] if any(v is not None for v in values) else []

    out = []
    for what, percent in (("accuracy", True), ("loss", False)):
        field = "acc" if percent else "loss"
        theirs = () if log is None else log.test_acc if percent else log.test_loss
        lines = [line("train", f"train_{field}"), *published(theirs), line(judge, f"test_{field}")]
        if history.averages:
            lines.append(Line("averaged", _values(history.epochs, f"ema_test_{field}"), "third"))
        levels = [(f"target {target:g} %", target / 100)] if percent and target is not None else []
        marks = (
            [
                Mark(
                    f"best {accuracy_text(best.test_acc)} in epoch {best.epoch}",
                    best.epoch,
                    best.test_acc,
                    here=True,
                )
            ]
            if percent and best is not None
            else []
        )
        chart = Chart(
            f"{name}{data}: {what}",
            lines=tuple(lines),
            levels=tuple(levels),
            marks=tuple(marks),
            percent=percent,
        )
        said = f"Train and {judge} {what} over the epochs"
        out.append(Picture(f"{what}.svg", svg(chart), said))
    return out


def _values(epochs: Sequence[EpochFinished], field: str) -> tuple[float | None, ...]:
    values: list[float | None] = [None] * max((e.epoch for e in epochs), default=0)
    for e in epochs:
        value = getattr(e, field)
        values[e.epoch - 1] = value if value is not None and math.isfinite(value) else None
    return tuple(values)


def _epochs(history: History) -> Table:
    judge = history.judged_by
    averaged = (f"{judge} loss, ema", f"{judge}, ema") if history.averages else ()
    head = ("epoch", "train loss", "train", f"{judge} loss", judge, *averaged, "lr", "took", "")
    reached, best = set(history.at_target), history.best
    rows = []
    for e in history.epochs:
        notes = ["best"] if best is not None and e.epoch == best.epoch else []
        notes += ["at target"] if e.epoch in reached else []
        rows.append((
            str(e.epoch), loss_text(e.train_loss), accuracy_text(e.train_acc), loss_text(e.test_loss), accuracy_text(e.test_acc),
            *((loss_text(e.ema_test_loss), accuracy_text(e.ema_test_acc)) if averaged else ()),
            rate_text(e.lr), elapsed_text(e.train_s + e.test_s), ", ".join(notes),
        ))  # fmt: skip
    strong = frozenset(n for n, e in enumerate(history.epochs) if best is not None and e.epoch == best.epoch)
    return Table(head, tuple(rows), ("",), strong)


def _network(history: History) -> list[Block]:
    """Picture and table of the network, in closed form; of a network in Python its size alone is known."""
    started, table = history.started, history.table()
    if started is None:
        return []
    if history.user_network is not None:
        text = f"{visible(history.user_network)}, a network in Python with {started.parameters:,} parameters."
        return [Heading("Network"), Paragraph(text)]
    if table is None:
        return []
    rows: list[tuple[str, ...]] = []
    faint: set[int] = set()
    whole = table.parameters or 1
    for row in table.rows:
        if row.is_op:
            faint.add(len(rows))
        rows.append((
            f"\u2003{row.label}" if row.is_op else row.title, "" if row.is_op else shape_text(row.output_shape),
            f"{row.parameters:,}" if row.parameters else "", f"{100 * row.parameters / whole:.1f} %" if row.parameters else "",
            f"{row.mult_adds:,}" if row.mult_adds else "", "" if row.is_op else row.field_text,
        ))  # fmt: skip
    last = table.rows[-1].field_text
    rows.append(("total", "", f"{table.parameters:,}", "", f"{table.mult_adds:,}", last))
    head = ("layer", "output", "parameters", "share", "multiply-adds", "receptive field")
    strong = frozenset({len(rows) - 1})
    name = visible(started.name)
    picture = Picture("network.svg", architecture_svg(name, table), "The network, a block for each layer")
    return [Heading("Network"), picture, Table(head, tuple(rows), ("layer",), strong, frozenset(faint))]


def _how(history: History) -> list[Block]:
    """What is needed to train it again: the command, versions, machine, data."""
    started = history.started
    if started is None:
        return []
    versions = ", ".join(f"{visible(name)} {visible(version)}" for name, version in started.versions.items())
    runtime = ", ".join(
        f"{visible(key)} {visible(value)}"
        for key, value in started.runtime.items()
        if value not in (None, "")
    )
    images = f"{started.train_images:,} training and {started.test_images:,} {started.judged_by} images"
    rows: list[tuple[str, str]] = [
        ("device", visible(started.device_name or started.device)),
        ("runtime", runtime),
        ("versions", versions),
        ("data", f"{visible(started.dataset)}, {images}"),
        ("git", _commit(started.git)),
    ]
    blocks: list[Block] = [Heading("How to repeat it")]
    if started.command:
        blocks.append(Code(started.command))
    blocks.append(Facts(tuple((label, text) for label, text in rows if text)))
    if history.notices:
        notices = tuple((notice.level, wording.notice_text(notice)) for notice in history.notices)
        blocks += [Heading("Notices"), Facts(notices)]
    return blocks


def _commit(git: Mapping[str, Any]) -> str:
    return f"{visible(git.get('commit', ''))[:12]}{', changed' if git.get('dirty') else ''}" if git else ""
