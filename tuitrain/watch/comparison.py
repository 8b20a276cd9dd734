"""What a comparison of runs can say. No textual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuitrain.errors import visible
from tuitrain.figures import accuracy_text, count_text, elapsed_text
from tuitrain.runs.digests import NAMES
from tuitrain.spec.describe import label_of, layer_settings, layers_of, value_text
from tuitrain.spec.layers import layer_names
from tuitrain.spec.preset import flattened

if TYPE_CHECKING:
    from tuitrain.runs.history import History
    from tuitrain.runs.index import RunSummary


def why_not_comparable(runs: Sequence[RunSummary], results: Sequence[History] = ()) -> str | None:
    """Why the accuracies of these runs can't be compared; None where they were judged by the same images.

    Args:
        runs: that are set side by side.
        results: theirs, which tell how many images judged them; empty where they were not read.
    """
    images = {f"{result.epochs[-1].test_images:,}" for result in results if result.epochs}
    for what, kinds in (
        ("on different data sets", {visible(run.dataset) for run in runs if run.best is not None}),
        ("by different images", {visible(run.judged_by) for run in runs if run.best is not None}),
        ("by different numbers of images", images),
    ):
        if len(kinds) > 1:
            return f"judged {what} ({', '.join(sorted(kinds))}): the accuracies can't be compared"
    return None


@dataclass(frozen=True)
class ComparisonLine:
    """A line of the comparison: a label, a text a run, and which of them is better (None: none is)."""

    label: str
    values: tuple[str, ...]
    better: int | None = None


def setting_lines(presets: Sequence[dict[str, Any]]) -> list[ComparisonLine]:
    """The settings that are not the same in all, in words."""
    texts_of_runs = [_setting_texts(preset) for preset in presets]
    lines = []
    for label in dict.fromkeys(label for texts in texts_of_runs for label in texts):
        values = [texts.get(label, "–") for texts in texts_of_runs]
        if len(set(values)) > 1:
            lines.append(ComparisonLine(label, tuple(values)))
    return lines


def _setting_texts(preset: dict[str, Any]) -> dict[str, str]:
    """Every setting by what it is called; those of a layer by the layer's name."""
    layers = layers_of(preset)
    rest = {key: value for key, value in preset.items() if key not in (*NAMES, "model")}
    out = {label_of(key): value_text(value) for key, value in flattened(rest).items()}
    for name, layer in zip(layer_names(layers), layers, strict=True):
        out |= {name + key: text for key, text in layer_settings(layer).items()}
    return out


def result_lines(runs: Sequence[RunSummary], results: Sequence[History]) -> list[ComparisonLine]:
    """The figures, the better one marked; equal or missing ones are not, and none of runs that were judged apart."""
    more, less = (None, None) if why_not_comparable(runs, results) else (True, False)
    lines = [
        _line("best test accuracy", [run.best for run in runs], accuracy_text, more=more),
        ComparisonLine("  in epoch", tuple(str(run.best_epoch or "–") for run in runs)),
        _line("last test accuracy", [run.last for run in runs], accuracy_text, more=more),
        _line("last accuracy, ema", [_last(r, "ema_test_acc") for r in results], accuracy_text, more=more),
        _line("mean of the last five", [_finite_or_none(result.last_mean) for result in results], accuracy_text, more=more),
        _line("last test loss", [_last(r, "test_loss") for r in results], lambda v: f"{v:.4f}", more=less),
        _line("last train accuracy", [_last(r, "train_acc") for r in results], accuracy_text, more=None),
        _line("first epoch at target", [_first_at_target(result) for result in results], lambda v: f"{v:.0f}", more=less),
        _line("parameters", [float(run.parameters) for run in runs], count_text, more=less),
        _line("took", [run.seconds or None for run in runs], elapsed_text, more=less),
        ComparisonLine("device", tuple(visible(run.device) or "–" for run in runs)),
        ComparisonLine("judged by", tuple(visible(run.judged_by) for run in runs)),
    ]  # fmt: skip
    return [line for line in lines if any(value != "–" for value in line.values)]


def _last(result: History, field: str) -> float | None:
    value = getattr(result.epochs[-1], field) if result.epochs else None
    return None if value is None else _finite_or_none(float(value))


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _first_at_target(result: History) -> float | None:
    return float(result.at_target[0]) if result.at_target else None


def _line(label: str, values: list[float | None], text: Any, *, more: bool | None) -> ComparisonLine:
    known = [value for value in values if value is not None]
    better = None
    if more is not None and len(known) == len(values) and len(set(known)) > 1:
        wanted = max(known) if more else min(known)
        if known.count(wanted) == 1:
            better = values.index(wanted)
    return ComparisonLine(label, tuple("–" if value is None else text(value) for value in values), better)
