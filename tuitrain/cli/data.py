"""`tuitrain data`: what a data set holds, fetching it, and checking its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuitrain import config
from tuitrain.cli import completion, options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import visible
from tuitrain.figures import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuitrain.data.dataset import Dataset, FileReport, Images
    from tuitrain.data.samples import Sample
    from tuitrain.tui.paint.text import Parts

app = typer.Typer(help="Look at, fetch and verify the data sets.", no_args_is_help=True)

DatasetFlag = Annotated[
    str | None,
    typer.Option(
        "--dataset",
        "-d",
        help=f"{', '.join(options.DATASETS)}; default: mnist.",
        autocompletion=completion.offer_choices(options.DATASETS),
    ),
]


def _name(flag: str | None) -> str:
    from tuitrain.data.catalog import check_name

    return check_name(config.setting("dataset", flag) or "mnist")


@app.command()
def info(dataset: DatasetFlag = None, data_dir: options.DataDir = None, json: options.Json = False) -> None:
    """Show sizes, grey levels and class counts; fetches nothing."""
    from tuitrain.data.load import load_dataset

    loaded = load_dataset(_name(dataset), config.data_dir(data_dir), fetch=False)
    facts = _facts(loaded)
    if json:
        emit_json(facts)
    else:
        _print_facts(loaded, facts)


@app.command()
def show(
    dataset: DatasetFlag = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            "-p",
            help="Show the images also as this preset's training changes them.",
            autocompletion=completion.offer_presets,
        ),
    ] = None,
    only: Annotated[
        int | None, typer.Option("--class", min=0, max=9, help="Only images of this class, by its number.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many images.")] = 60,
    draw_number: Annotated[int, typer.Option("--draw", min=0, help="Another draw of images.")] = 0,
    data_dir: options.DataDir = None,
    json: options.Json = False,
) -> None:
    """Show these figures and some training images; fetches nothing.

    With --preset the same images follow as they are augmented, each with its angle where they are only turned.
    """
    from tuitrain.data.load import load_dataset
    from tuitrain.data.samples import draw
    from tuitrain.spec.describe import augmentation_text
    from tuitrain.spec.preset_files import load_preset
    from tuitrain.spec.train import Train

    train = load_preset(preset).train if preset is not None else Train(rotation=0.0)
    name = _name(dataset) if dataset is not None or preset is None else train.dataset
    loaded = load_dataset(name, config.data_dir(data_dir), fetch=False)
    facts, (samples, _) = _facts(loaded), draw(loaded, train, limit, draw_number, only)
    if json:
        images = [_sample_json(sample, augmented=preset is not None) for sample in samples]
        emit_json(facts | {"draw": draw_number, "preset": preset, "images": images})
        return
    from tuitrain.cli.painted import show_lines

    _print_facts(loaded, facts)
    which = f"of class {visible(loaded.classes[only])} " if only is not None else ""
    heading = (
        f"{plural(len(samples), 'training image')} {which}as stored; --draw {draw_number + 1} shows others"
    )
    show_lines([(), ((heading, "bold"),), *_grid(samples, augmented=False)])
    if preset is not None:
        how = f"the same as {visible(preset)} trains on them: {augmentation_text(train)}"
        show_lines([(), ((how, "bold"),), *_grid(samples, augmented=True)])


def _sample_json(sample: Sample, *, augmented: bool) -> dict[str, Any]:
    """An image, grey levels from 0 to 255 row by row; `augmented` is null where no preset was named."""
    changed = sample.augmented.tolist() if augmented else None
    return {
        "label": sample.label,
        "stored": sample.stored.tolist(),
        "augmented": changed,
        "change": sample.caption,
    }


def _grid(samples: Sequence[Sample], *, augmented: bool) -> list[Parts]:
    from tuitrain.cli.painted import ink, small_images
    from tuitrain.tui.paint.pictures import card, shelf

    small, how = small_images(), ink()
    cards = [
        card(
            sample.augmented if augmented else sample.stored,
            ((visible(sample.label)[:14], ""),),
            sample.caption if augmented else "",
            small=small,
            ink=how,
        )
        for sample in samples
    ]
    return shelf(cards, stdout().width)


def _print_facts(loaded: Dataset, facts: dict[str, Any]) -> None:
    rows: list[list[str]] = []
    parts = {"train": facts["train"], "test": facts["test"]}
    for label, key, form in (
        ("images", "images", "{:,}"),
        ("shape", "shape", "{}"),
        ("min", "min", "{}"),
        ("max", "max", "{}"),
        ("mean (0 to 1)", "mean", "{:.4f}"),
        ("std (0 to 1)", "std", "{:.4f}"),
    ):
        rows.append([label, *(form.format(_shape(part[key])) for part in parts.values())])
    for index, name in enumerate(loaded.classes):
        text = name if name == str(index) else f"{index} {name}"
        rows.append([f"class {text}", *(f"{part['class_counts'][index]:,}" for part in parts.values())])
    stdout().out(loaded.source, highlight=False)
    _print_table(["", "train", "test"], rows, numbers=True)


@app.command()
def fetch(dataset: DatasetFlag = None, data_dir: options.DataDir = None, json: options.Json = False) -> None:
    """Fetch and verify what is missing or damaged.

    TUITRAIN_MIRROR names other addresses to fetch from (base addresses, separated by spaces),
    TUITRAIN_FETCH_TIMEOUT the seconds a transfer may make no progress (default 15).
    """
    from tuitrain.cli.fetch_progress import FetchProgress
    from tuitrain.data.fetch import fetch_dataset as fetch_files
    from tuitrain.data.verify import verify_dataset as verify_files

    name, place = _name(dataset), config.data_dir(data_dir)
    with FetchProgress() as progress:
        folder = fetch_files(name, place, progress=progress)
    reports = verify_files(name, place)
    if json:
        emit_json(_reports(name, reports) | {"folder": str(folder)})
    else:
        _print_reports(reports)


@app.command()
def verify(dataset: DatasetFlag = None, data_dir: options.DataDir = None, json: options.Json = False) -> None:
    """Check every file of a set; exit 3 when one is missing or damaged."""
    from tuitrain.data.catalog import SETS
    from tuitrain.data.verify import repair_command
    from tuitrain.data.verify import verify_dataset as verify_files
    from tuitrain.errors import DataError

    name, place = _name(dataset), config.data_dir(data_dir)
    reports = verify_files(name, place)
    if json:
        emit_json(_reports(name, reports))
    else:
        _print_reports(reports)
    damaged = [report for report in reports if report.problem is not None]
    if damaged:
        mend = (
            repair_command(SETS[name], place)
            if name in SETS
            else "pip install --force-reinstall scikit-learn"
        )
        raise DataError(
            visible(
                f"{damaged[0].path}: {damaged[0].problem} ({len(damaged)} of {len(reports)} files wrong); "
                f"fix it with `{mend}`, or go on without a network with `--dataset digits`."
            )
        )


def _facts(loaded: Dataset) -> dict[str, Any]:
    return {
        "dataset": loaded.name,
        "source": loaded.source,
        "classes": list(loaded.classes),
        "train": _part(loaded.train),
        "test": _part(loaded.test),
    }


def _part(part: Images) -> dict[str, Any]:
    import numpy as np

    levels = np.zeros(256, dtype=np.int64)
    for start in range(0, len(part), 4096):  # bincount widens to int64: 8 times the memory
        levels += np.bincount(part.images[start : start + 4096].ravel(), minlength=256)
    grey = np.arange(256) / 255
    total = int(levels.sum())
    mean = float((levels * grey).sum() / total)
    variance = float((levels * (grey - mean) ** 2).sum() / total)
    present = np.flatnonzero(levels)
    return {
        "images": len(part),
        "shape": list(part.images.shape[1:]),
        "min": int(present[0]),
        "max": int(present[-1]),
        "mean": mean,
        "std": variance**0.5,
        "class_counts": np.bincount(part.labels, minlength=10).tolist(),
    }


def _reports(dataset: str, reports: list[FileReport]) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "ok": all(report.problem is None for report in reports),
        "files": [
            {
                "path": str(report.path),
                "sha256": report.sha256,
                "verified_by": report.verified_by,
                "problem": report.problem,
            }
            for report in reports
        ],
    }


def _print_reports(reports: list[FileReport]) -> None:
    stdout().out(f"in {visible(reports[0].path.parent)}", highlight=False)
    rows = [
        [
            visible(report.path.name),
            f"damaged: {visible(report.problem)}" if report.problem else "ok",
            report.verified_by,
            (report.sha256 or "")[:16],
        ]
        for report in reports
    ]
    _print_table(["file", "state", "verified by", "SHA-256 (unpacked) begins"], rows)


def _shape(value: object) -> object:
    return " x ".join(str(size) for size in value) if isinstance(value, list) else value


def _print_table(header: list[str], rows: list[list[str]], *, numbers: bool = False) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(header):
        table.add_column(Text(name), justify="right" if numbers and place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    stdout().print(table)
