"""`tuitrain data`: what a data set holds, fetching it, and checking its files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tuitrain.data.mnist import Dataset, FileReport, Images

app = typer.Typer(
    help="Look at, fetch and verify the data sets.", no_args_is_help=True, rich_markup_mode=None
)

DatasetOption = Annotated[
    str,
    typer.Option(
        "--dataset",
        help="mnist, fashion-mnist, kmnist, qmnist, emnist-digits, or digits (built in).",
        envvar="TUITRAIN_DATASET",
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder with the IDX files, raw or .gz, in place or under MNIST/raw/. Default: the cache folder.",
        envvar="TUITRAIN_DATA_DIR",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


@app.command()
def info(
    dataset: DatasetOption = "mnist", data_dir: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """Show sizes, grey levels and class counts of a set that is there; fetches nothing."""
    from tuitrain.data.mnist import load

    loaded = load(dataset, data_dir, fetch=False)
    facts = _facts(loaded)
    if as_json:
        _print_json(facts)
        return
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
    _print_line(loaded.source)
    _print_table(["", "train", "test"], rows, numbers=True)


@app.command()
def fetch(
    dataset: DatasetOption = "mnist", data_dir: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """Fetch what is missing or damaged, verify it, and say where it lies."""
    from tuitrain.data.catalog import check_name
    from tuitrain.data.fetch import fetch as fetch_files
    from tuitrain.data.mnist import verify as verify_files
    from tuitrain.data.progress import FetchProgress

    with FetchProgress() as progress:
        folder = fetch_files(check_name(dataset), data_dir, progress=progress)
    reports = verify_files(dataset, data_dir)
    if as_json:
        _print_json(_reports(dataset, reports) | {"folder": str(folder)})
    else:
        _print_reports(reports)


@app.command()
def verify(
    dataset: DatasetOption = "mnist", data_dir: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """Check every file of a set; exit 3 when one is missing or damaged."""
    from tuitrain.data.mnist import SETS, mending_command
    from tuitrain.data.mnist import verify as verify_files
    from tuitrain.errors import DataError, visible

    reports = verify_files(dataset, data_dir)
    if as_json:
        _print_json(_reports(dataset, reports))
    else:
        _print_reports(reports)
    damaged = [report for report in reports if report.problem is not None]
    if damaged:
        mend = (
            mending_command(SETS[dataset], data_dir)
            if dataset in SETS
            else "pip install --force-reinstall scikit-learn"
        )
        raise DataError(
            visible(
                f"{damaged[0].path}: {damaged[0].problem} ({len(damaged)} of {len(reports)} files wrong); "
                f"mend it with `{mend}`, or go on without a network with `--dataset digits`."
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
    from tuitrain.errors import visible

    _print_line(f"in {visible(reports[0].path.parent)}")
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


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def _print_line(text: str) -> None:
    sys.stdout.write(text + "\n")


def _print_table(header: list[str], rows: list[list[str]], *, numbers: bool = False) -> None:
    if not sys.stdout.isatty():
        for row in [header, *rows]:
            _print_line("\t".join(row))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD)
    for place, name in enumerate(header):
        table.add_column(Text(name), justify="right" if numbers and place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
