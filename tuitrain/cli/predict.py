"""`tuitrain predict`: what a run's network says of one image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.data.dataset import Dataset
    from tuitrain.runs.trained import TrainedNetwork
    from tuitrain.spec.preset import Preset
    from tuitrain.training.judging import Judge
    from tuitrain.tui.paint.text import Parts

RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its name, a unique part of it, its path, or latest.",
        show_default=False,
        autocompletion=completion.offer_runs,
    ),
]


def predict(
    run: RunArgument,
    picture: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A picture of any size, bright on dark or dark on bright: PNG, JPEG, ...",
            show_default=False,
        ),
    ] = None,
    index: Annotated[
        int | None,
        typer.Option("--index", "-i", help="An image of the set that judged the run, counted from 0."),
    ] = None,
    random: Annotated[bool, typer.Option("--random", "-r", help="Any image of that set.")] = False,
    ema: options.Ema = False,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Show what a run's network says of an image.

    The image stands beside its ten probabilities. Of a run that still goes on, its newest checkpoint is asked.
    """
    if (picture is not None) + (index is not None) + random != 1:
        raise UsageError(
            f"name one image: a file, --index or --random, such as `tuitrain predict {visible(run)} --random`."
        )
    from tuitrain.cli.runs import run_directory
    from tuitrain.data.catalog import class_names
    from tuitrain.runs.trained import trained_network

    trained = trained_network(run_directory(run, runs_dir), averaged=ema)
    classes = class_names(trained.preset.train.dataset)
    shown: dict[str, Any] = {
        "run": trained.run, "epoch": trained.epoch, "step": trained.step, "averaged": trained.averaged,
    }  # fmt: skip
    if picture is not None:
        from tuitrain.data.picture import read_picture

        read = read_picture(picture, trained.preset.train.dataset)
        image, actual = read.image, None
        shown |= {"file": str(picture), "done": list(read.done)}
        what = visible(picture)
    else:
        dataset = load_judging_set(trained.preset, data_dir)
        chosen = chosen_index(index, len(dataset.test))
        image, actual = dataset.test.images[chosen], int(dataset.test.labels[chosen])
        shown |= {"dataset": dataset.name, "judged_by": dataset.judged_by, "index": chosen}
        what = f"{dataset.judged_by} image {chosen} of {dataset.name}"
    found = probabilities(trained, image)
    said = int(found.argmax())
    shown |= {
        "predicted": said,
        "class": classes[said],
        "actual": actual,
        "probabilities": [float(p) for p in found],
    }
    if json:
        emit_json(shown)
        return
    from tuitrain.cli.painted import ink, show_lines, show_wrapped
    from tuitrain.tui.paint.pictures import beside, chances

    space = stdout().width
    show_lines(beside(image, chances(found, classes, space - image.shape[1] - 4, actual), ink()))
    for sentence in _sentences(shown, what, classes, trained.weights):
        show_wrapped(sentence, 2)


def load_judging_set(preset: Preset, data_dir: Path | None) -> Dataset:
    """The data of a preset, fetched where it is missing; `test` is what its runs are judged by.

    Raises:
        DataError: it can't be had.
    """
    from tuitrain.cli.fetch_progress import FetchProgress
    from tuitrain.runs.launch import load_data

    with FetchProgress() as progress:
        return load_data(preset, config.data_dir(data_dir), progress)


def judge_of(trained: TrainedNetwork) -> Judge:
    """What judges images with a run's network.

    On one thread: so small a network gains little from more, and loses much where the cores are busy.
    """
    import torch

    from tuitrain.training.judging import Judge

    torch.set_num_threads(1)
    return Judge(trained.network, trained.preset)


def probabilities(trained: TrainedNetwork, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probabilities (10,) that a run's network gives the classes of an image (28, 28)."""
    import numpy as np

    found: NDArray[np.float32] = np.exp(judge_of(trained).log_probabilities(image[None])[0])
    return found


def chosen_index(index: int | None, count: int) -> int:
    """The index that was asked for; any where none was.

    Raises:
        UsageError: there are not so many images.
    """
    if index is None:
        import secrets

        return secrets.randbelow(count)
    if not 0 <= index < count:
        raise UsageError(f"--index is {index}; use a number from 0 to {count - 1:,}.")
    return index


def _sentences(shown: dict[str, Any], what: str, classes: Sequence[str], weights: str) -> list[Parts]:
    from tuitrain.figures import accuracy_text

    said, actual = shown["predicted"], shown["actual"]
    share = accuracy_text(shown["probabilities"][said])
    steps = f" and {shown['step']:,} steps" if shown["step"] else ""
    line: list[tuple[str, str]] = [
        (f"{what}: ", ""),
        (f"{visible(classes[said])}", "bold"),
        (f", {share}", ""),
    ]
    if actual is not None:
        right = said == actual
        verdict = "✓ right" if right else f"✗ wrong, it is {visible(classes[actual])}"
        line += [("  ", ""), (verdict, "good" if right else "bad")]
    out: list[Parts] = [line]
    if shown.get("done"):
        out.append([(f"what was done to it: {'; '.join(shown['done'])}", "dim")])
    by = f"by {visible(shown['run'])} after epoch {shown['epoch']}{steps}"
    out.append([(f"{by}, {weights}" if weights else by, "dim")])
    return out
