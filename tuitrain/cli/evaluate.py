"""`tuitrain evaluate`: how runs' networks judge another data set, or images that are turned, moved or noisy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stderr, stdout
from tuitrain.cli.predict import judge_of, load_judging_set
from tuitrain.errors import UsageError, visible
from tuitrain.figures import accuracy_text, loss_text, percent_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuitrain.data.dataset import Dataset
    from tuitrain.runs.trained import TrainedNetwork
    from tuitrain.training.robustness import Kind, Robustness
    from tuitrain.tui.paint.text import Parts

CHART_LINES = 14
MOST_RUNS = 26  # as many as there are letters to mark their curves with
_UNITS = {"rotation": "degrees, half of the images each way", "shift": "pixels, in four directions",
          "noise": "standard deviations, 1 is black to white"}  # fmt: skip


def evaluate(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="Runs: names, unique parts of them, paths, or latest.",
            show_default=False,
            autocompletion=completion.offer_runs,
        ),
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            help=f"Judge by this set's test images: {', '.join(options.DATASETS)}; default: what judged each run.",
            autocompletion=completion.offer_choices(options.DATASETS),
        ),
    ] = None,
    rotation: Annotated[
        float | None, typer.Option("--rotation", metavar="DEGREES", help="Turn the images, up to so far.")
    ] = None,
    shift: Annotated[
        int | None, typer.Option("--shift", metavar="PIXELS", help="Move the images, up to so far.")
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option("--noise", metavar="SD", help="Add noise, up to so much; 1 is black to white."),
    ] = None,
    ema: options.Ema = False,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Judge runs by another data set, or by turned or noisy images.

    With --rotation, --shift or --noise there is a curve for each, with all runs in one chart.
    """
    wanted = {"rotation": rotation, "shift": shift, "noise": noise}
    kinds: dict[Any, float] = {kind: float(most) for kind, most in wanted.items() if most is not None}
    _refuse(kinds, run)
    from tuitrain.cli.runs import run_directory
    from tuitrain.runs.trained import trained_network

    directories = {directory.path: directory for directory in (run_directory(name, runs_dir) for name in run)}
    networks = [trained_network(directory, averaged=ema) for directory in directories.values()]
    results = []
    sets: dict[Any, Dataset] = {}
    for network in networks:
        with stderr().status(f"judging with {visible(network.run)} …"):
            results.append(_judged(network, _images_for(network, dataset, data_dir, sets), kinds))
    if json:
        emit_json({"runs": [result.to_dict() for result in results]})
        return
    if len({(result.dataset, result.judged_by, result.images) for result in results}) > 1:
        stderr().print(
            "the runs are judged by different images, so their accuracies can't be compared", soft_wrap=True
        )
    from tuitrain.cli.painted import show_lines

    show_lines(_plain_table(results))
    for kind in kinds:
        show_lines([(), *_curves(results, kind)])


class _Judged:
    """What came out for a run."""

    def __init__(
        self, network: TrainedNetwork, data: Dataset, found: tuple[float, float], curves: list[Robustness]
    ) -> None:
        self.run, self.epoch = network.run, network.epoch
        self.averaged, self.weights = network.averaged, network.weights
        self.dataset, self.judged_by, self.images = data.name, data.judged_by, len(data.test)
        self.accuracy, self.loss = found
        self.curves = {curve.kind: curve for curve in curves}

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "run": self.run, "epoch": self.epoch, "averaged": self.averaged, "dataset": self.dataset, "judged_by": self.judged_by,
            "images": self.images, "accuracy": self.accuracy, "loss": self.loss,
            "curves": {
                kind: {"levels": list(curve.levels), "accuracy": list(curve.accuracies), "loss": list(curve.losses)}
                for kind, curve in self.curves.items()
            },
        }  # fmt: skip


def _refuse(kinds: dict[Kind, float], runs: Sequence[str]) -> None:
    if len(runs) > MOST_RUNS:
        raise UsageError(f"{len(runs)} runs are named; evaluate at most {MOST_RUNS} at a time.")
    from tuitrain.training.robustness import MOST

    for kind, most in kinds.items():
        least = "1" if kind == "shift" else "more than 0"
        if not 0 < most <= MOST[kind]:
            raise UsageError(f"--{kind} is {most:g}; use {least} to {MOST[kind]:g}.")


def _images_for(
    network: TrainedNetwork, dataset: str | None, data_dir: Path | None, sets: dict[Any, Dataset]
) -> Dataset:
    """What judges a run; each set is loaded once."""
    from tuitrain.data.catalog import check_name
    from tuitrain.spec.preset import override

    preset = network.preset
    if dataset is not None:
        preset = override(preset, {"train.dataset": check_name(dataset), "train.val_split": 0}, "--dataset")
    key = (preset.train.dataset, preset.train.val_split, preset.train.seed if preset.train.val_split else 0)
    if key not in sets:
        sets[key] = load_judging_set(preset, data_dir)
    return sets[key]


def _judged(network: TrainedNetwork, data: Dataset, kinds: dict[Kind, float]) -> _Judged:
    from tuitrain.training.robustness import accuracy_and_loss, robustness

    judge = judge_of(network)
    found = accuracy_and_loss(judge, data.test.images, data.test.labels)
    return _Judged(
        network,
        data,
        found,
        [robustness(judge, data.test, kind, most, found) for kind, most in kinds.items()],
    )


def _plain_table(results: Sequence[_Judged]) -> list[Parts]:
    """Accuracy and loss of the images as they are."""
    size = max(3, *(len(visible(result.run)) for result in results))
    lines: list[Parts] = [((f"{'':3}{'run':{size}}  {'accuracy':>9}  {'loss':>7}  judged by", "dim"),)]
    for number, result in enumerate(results):
        what = f"{result.images:,} {result.judged_by} images of {result.dataset}"
        what += f", {result.weights}" if result.weights else ""
        lines.append((
            (f"{_letter(number)}  ", _style(number)), (f"{visible(result.run):{size}}", ""),
            (f"  {accuracy_text(result.accuracy):>9}", "bold"), (f"  {loss_text(result.loss):>7}  {what}", ""),
        ))  # fmt: skip
    return lines


def _curves(results: Sequence[_Judged], kind: Kind) -> list[Parts]:
    """A table of one kind, and its chart."""
    from tuitrain.tui.paint.plot import XY, plot

    levels = results[0].curves[kind].levels
    size = max(3, *(len(visible(result.run)) for result in results))
    size = min(size, max(8, stdout().width - 3 - 8 * len(levels)))
    lines: list[Parts] = [((f"{kind} ", "bold"), (f"({_UNITS[kind]}): accuracy in percent", ""))]
    lines.append(((f"{'':3}{'run':{size}}" + "".join(f"{level:8g}" for level in levels), "dim"),))
    curves = []
    for number, result in enumerate(results):
        accuracies = result.curves[kind].accuracies
        cells = "".join(f"{percent_text(accuracy):>8}" for accuracy in accuracies)
        name = visible(result.run)
        lines.append(((f"{_letter(number)}  ", _style(number)), (f"{name[:size]:{size}}", ""), (cells, "")))
        points = tuple((level, 100 * accuracy) for level, accuracy in zip(levels, accuracies, strict=True))
        curves.append(XY(points, _style(number), _letter(number)))
    labels = [(level, f"{level:g}") for level in levels]
    return [*lines, *plot(curves, min(100, stdout().width - 1), CHART_LINES, labels)]


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _style(number: int) -> str:
    from tuitrain.tui.paint.plot import STYLES

    return STYLES[number % len(STYLES)]
