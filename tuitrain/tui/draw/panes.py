"""What is said of a drawing, as painted lines: bars, pictures, sentences. No textual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuitrain.errors import visible
from tuitrain.runs.index import RunSummary
from tuitrain.tui.paint.digits import Ink, digit, smaller
from tuitrain.tui.paint.pictures import chances
from tuitrain.tui.paint.text import Line, Parts, wrap
from tuitrain.watch.runlist import told_apart_text
from tuitrain.workbench.asking import Answer, Likeness, Network, Sample

DIGITS = tuple(map(str, range(10)))
BARS, GAP = 10, 3
LARGE, SMALL = 28, 14  # cells that a picture is wide
GIVEN, LIKE = "it is given", "most like it"


def bars(answer: Answer | None, width: int) -> list[Parts]:
    """The ten probabilities, the highest in colour; the names alone where nothing is drawn."""
    classes = answer.network.classes if answer is not None else DIGITS
    if answer is None or answer.probabilities is None:
        label = max(len(visible(name)) for name in classes)
        return [((f" {visible(name):>{label}}", "dim"),) for name in classes]
    return chances(answer.probabilities, classes, width)


def said(answer: Answer | None, likeness: Likeness | None, width: int, height: int, ink: Ink) -> list[Parts]:
    """Bars, and where there is room what the network is given and which training image is most like that."""
    images = [
        (GIVEN, answer.image if answer is not None else None),
        (LIKE, likeness.image if likeness is not None else None),
    ]
    for size in (LARGE, SMALL):
        if height >= BARS + 2 + size // 2 and width >= 2 * size + GAP:
            first, second = (_picture(title, image, size, ink) for title, image in images)
            pairs = [Line(a).to(size + GAP) + list(b) for a, b in zip(first, second, strict=True)]
            return [*bars(answer, width), (), *pairs]
    room = width - SMALL - GAP
    if room >= 20 and height >= 2 * (SMALL // 2 + 1):
        column = [line for title, image in images for line in _picture(title, image, SMALL, ink)]
        left = [*bars(answer, room), *[()] * (len(column) - BARS)]
        return [Line(a).to(room + GAP) + list(b) for a, b in zip(left, column, strict=True)]
    return bars(answer, width)


def _picture(title: str, image: object, size: int, ink: Ink) -> list[Parts]:
    """An image under its title; a blank in its place where there is none."""
    if not isinstance(image, np.ndarray):
        return [()] * (1 + size // 2)
    return [((f"{title:.{size}}", "dim"),), *digit(smaller(image, LARGE // size), ink)]


def network_name(run: RunSummary | None, network: Network | None) -> str:
    """Preset, seed and changes, which may be cut; the run's name where its summary is not known."""
    if run is not None:
        return told_apart_text(run)
    return visible(network.trained.run) if network is not None else ""


def network_age(network: Network) -> str:
    """After how much training, and of a run that keeps two kinds of weights, which these are."""
    steps = f" and {network.trained.step:,} steps" if network.trained.step else ""
    weights = f", {network.trained.weights} (w)" if network.trained.weights else ""
    return f"after epoch {network.trained.epoch}{steps}{weights}"


def sentences(
    answer: Answer | None,
    likeness: Likeness | None,
    sample: Sample | None,
    problems: Sequence[str],
    width: int,
    *,
    empty: bool,
) -> list[Parts]:
    """What is to be said in words; of an empty field, how to draw on it."""
    out: list[Parts] = []
    for problem in filter(None, problems):
        out += wrap([(problem, "warn")], width)
    if empty and not out:
        hint = "Draw a digit: with the mouse, or with the arrow keys after "
        return wrap([(hint, "dim"), ("space", "bold"), (".", "dim")], width)
    if answer is None or answer.probabilities is None:
        return out
    names = [visible(name) for name in answer.network.classes]
    best = int(answer.probabilities.argmax())
    if sample is not None:
        right = sample.label == best
        line = Line().add(f"{sample.judged_by} image {sample.index:,}: {_a(names[sample.label])}, ")
        line.add(
            "which it gets right" if right else f"which it takes for {_a(names[best])}",
            "good" if right else "bad",
        )
        out += wrap(line, width)
    if likeness is not None:
        right = likeness.label == likeness.said
        line = Line().add("looks like ")
        if right:
            line.add(f"{_a(names[likeness.label])}", "bold").add(" that it gets right")
        else:
            line.add(f"the {names[likeness.label]}", "bold").add(" that it takes for ")
            line.add(_a(names[likeness.said]), "bold")
        line.add(f"  training image {likeness.index:,}", "dim")
        out += wrap(line, width)
    if answer.done:
        out += wrap([(f"what was done to it: {'; '.join(answer.done)}", "dim")], width)
    return out


def _a(name: str) -> str:
    """With its article: `an 8`."""
    return f"{'an' if name[:1] in '8AEIOUaeiou' and name[:1] else 'a'} {name}"
