"""`tuitrain mistakes` and `tuitrain confusion`: what a run took for what, from the predictions that it kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuitrain import config
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.cli.predict import RunArgument, judge_of, load_judging_set
from tuitrain.errors import RunDirectoryError, UsageError, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tuitrain.runs.directory import RunDirectory
    from tuitrain.runs.history import History
    from tuitrain.training.inspection import Predictions
    from tuitrain.tui.paint.text import Parts

Best = Annotated[bool, typer.Option("--best", help="Of the best epoch, in place of the last.")]


def mistakes(
    run: RunArgument = "latest",
    pair: Annotated[
        str | None,
        typer.Option(
            "--pair", metavar="A,B", help="Only images of these two classes taken for each other: 4,9"
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many are shown.")] = 20,
    train: Annotated[
        bool,
        typer.Option("--train", help="The hardest training images, by their loss; needs the run's network."),
    ] = False,
    best: Best = False,
    runs_dir: options.RunsDir = None,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Show the images that a run misjudged, surest first."""
    from tuitrain.cli.runs import run_directory

    if train and best:
        raise UsageError("--train asks the run's network, which is that of its last epoch; leave --best out.")
    wanted = _pair(pair) if pair is not None else None
    directory = run_directory(run, runs_dir)
    if train:
        _hardest(directory, wanted, limit, data_dir, json=json)
        return
    seen, history = kept_predictions(directory, best=best)
    wrong = seen.wrong()
    chosen = _of_pair(wrong, seen.labels, seen.predictions, wanted)
    if json:
        emit_json({
            "run": directory.name, "epoch": seen.epoch, "judged_by": history.judged_by, "images": len(seen.labels),
            "wrong": len(wrong), "shown": min(limit, len(chosen)),
            "pairs": [{"actual": i, "predicted": j, "count": n} for i, j, n in seen.pairs()],
            "mistakes": [
                {
                    "index": int(i), "actual": int(seen.labels[i]), "predicted": int(seen.predictions[i]),
                    "confidence": float(seen.confidences[i]),
                }
                for i in chosen[:limit]
            ],
        })  # fmt: skip
        return
    from tuitrain.cli.painted import ink, show_headed, show_lines, show_wrapped, small_images
    from tuitrain.tui.paint.pictures import mistakes as gallery
    from tuitrain.watch.ghosts import JudgingImages, judging_images

    none = JudgingImages(None, ())
    judged = judging_images(history.started, config.data_dir(data_dir)) if history.started else none
    width = stdout().width
    show_headed(
        gallery(
            seen,
            judged.images,
            judged.classes,
            width,
            small=small_images(),
            ink=ink(),
            chosen=chosen[:limit],
            numbered=True,
        )
    )
    if len(wrong):
        show_lines([()])
        for line in _pair_lines(seen, judged.classes, len(chosen), limit, wanted):
            show_wrapped(line)


def confusion(
    run: RunArgument = "latest",
    best: Best = False,
    csv: Annotated[
        bool,
        typer.Option("--csv", help="A table of numbers on stdout.", rich_help_panel=options.OUTPUT),
    ] = False,
    runs_dir: options.RunsDir = None,
    json: options.Json = False,
) -> None:
    """Show what a run took for what, class by class.

    Actual classes stand down, predicted ones across; at the right is how many of each class are right.
    """
    from tuitrain.cli.runs import run_directory
    from tuitrain.data.catalog import class_names

    if json and csv:
        raise UsageError("--json and --csv both want stdout; use one of them.")
    directory = run_directory(run, runs_dir)
    seen, history = kept_predictions(directory, best=best)
    classes = class_names(history.started.dataset if history.started else "")
    if json:
        accuracy = [None if share != share else float(share) for share in seen.class_accuracy]
        emit_json({
            "run": directory.name, "epoch": seen.epoch, "judged_by": history.judged_by, "classes": list(classes),
            "confusion": seen.confusion.tolist(), "class_accuracy": accuracy, "accuracy": float(seen.right.mean()),
        })  # fmt: skip
    elif csv:
        import csv as csv_module

        writer = csv_module.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["actual", *classes, "accuracy"])
        for name, row, share in zip(classes, seen.confusion.tolist(), seen.class_accuracy, strict=True):
            writer.writerow([name, *row, "" if share != share else f"{share:.6g}"])
    else:
        from tuitrain.cli.painted import has_colours, show_headed
        from tuitrain.tui.paint.pictures import confusion as matrix

        show_headed(matrix(seen, classes, stdout().width, heat=has_colours()))


def kept_predictions(directory: RunDirectory, *, best: bool = False) -> tuple[Predictions, History]:
    """What a run predicted in its last or best epoch, and its history.

    Raises:
        RunDirectoryError: it has kept no predictions.
    """
    from tuitrain.runs.history import History
    from tuitrain.runs.predictions import read_predictions

    history, name = History.of(directory.events()), visible(directory.name)
    seen = read_predictions(directory.path, "best" if best else "last")
    if seen is not None and len(seen.labels):
        return seen, history
    if not history.epochs:
        raise RunDirectoryError(
            f"run {name} has not finished an epoch, so it has judged no images; let it train."
        )
    if best and read_predictions(directory.path) is not None:
        raise RunDirectoryError(
            f"run {name} has not kept the predictions of its best epoch (an earlier version trained it); leave --best out."
        )
    raise RunDirectoryError(
        f"run {name} has not kept its predictions; train it again with the command in its preset.toml."
    )


def _hardest(
    directory: RunDirectory, wanted: tuple[int, int] | None, limit: int, data_dir: Path | None, *, json: bool
) -> None:
    """The training images with the greatest loss."""
    import numpy as np

    from tuitrain.runs.trained import trained_network
    from tuitrain.training.judging import losses

    trained = trained_network(directory)
    dataset = load_judging_set(trained.preset, data_dir)
    images, labels = dataset.train.images, dataset.train.labels
    found = judge_of(trained).log_probabilities(images)
    predictions, loss = found.argmax(1).astype(np.uint8), losses(found, labels)
    order = np.argsort(-loss, kind="stable")
    chosen = _of_pair(order, labels, predictions, wanted)[:limit]
    wrong = int((predictions != labels).sum())
    if json:
        emit_json({
            "run": trained.run, "epoch": trained.epoch, "dataset": dataset.name, "images": len(labels), "wrong": wrong,
            "mean_loss": float(loss.mean(dtype=np.float64)), "shown": len(chosen),
            "hardest": [
                {
                    "index": int(i), "actual": int(labels[i]), "predicted": int(predictions[i]), "loss": float(loss[i]),
                    "confidence": float(np.exp(found[i].max())),
                }
                for i in chosen
            ],
        })  # fmt: skip
        return
    from tuitrain.cli.painted import ink, show_headed, small_images
    from tuitrain.figures import loss_text
    from tuitrain.tui.paint.pictures import card, judgement, shelf

    width, names = stdout().width, [visible(name) for name in dataset.classes]
    cards = []
    for i in chosen.tolist():
        caption = judgement(names[labels[i]], names[predictions[i]])
        drawn = card(images[i], caption, f"loss {loss[i]:.2f}", small=small_images(), ink=ink())
        cards.append([*drawn, ((f"image {i}", "dim"),)])
    heading = (
        f" {wrong:,} of {len(labels):,} training images misclassified after epoch {trained.epoch}, mean loss "
        f"{loss_text(float(loss.mean(dtype=np.float64)))} (without dropout and augmentation); the hardest first"
    )
    show_headed((((heading, "dim underline"),), shelf(cards, width)))


def _pair(text: str) -> tuple[int, int]:
    parts = [part.strip() for part in text.split(",")]
    if (
        len(parts) != 2
        or not all(part.isdecimal() and len(part) == 1 for part in parts)
        or parts[0] == parts[1]
    ):
        raise UsageError(f"--pair is '{visible(text)}'; use two different classes from 0 to 9, such as 4,9.")
    return int(parts[0]), int(parts[1])


def _of_pair(
    index: NDArray[np.int64],
    labels: NDArray[np.uint8],
    predictions: NDArray[np.uint8],
    wanted: tuple[int, int] | None,
) -> NDArray[np.int64]:
    """Those of the images that are of one of the two classes and were taken for the other."""
    if wanted is None:
        return index
    a, b = wanted
    actual, said = labels[index], predictions[index]
    between = ((actual == a) & (said == b)) | ((actual == b) & (said == a))
    return index.compress(between)


def _pair_lines(
    seen: Predictions, classes: Sequence[str], count: int, limit: int, wanted: tuple[int, int] | None
) -> list[Parts]:
    """How many more there are, and the most frequent pairs."""
    from tuitrain.figures import plural

    names = [visible(name) for name in classes] or [str(i) for i in range(10)]
    lines: list[Parts] = []
    if wanted is not None:
        a, b = (names[number] for number in wanted)
        lines.append(((f" {plural(count, 'mistake')} between {a} and {b}", "bold"),))
    if count > limit:
        lines.append(((f" {limit} of {count:,} shown; --limit shows more", "dim"),))
    if wanted is None:
        pairs = ", ".join(f"{names[i]} as {names[j]} ({n})" for i, j, n in seen.pairs()[:12])
        lines.append(((" most often: ", "bold"), (pairs, "")))
    return lines
