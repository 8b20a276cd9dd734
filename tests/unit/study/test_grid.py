"""Sweeps: grids as they are written, every combination once, the leaderboard."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support.groups_made import group
from support.training_small import tiny
from tuitrain.cli.root import app
from tuitrain.errors import PresetError, TuitrainError, UsageError
from tuitrain.figures import percent_text
from tuitrain.study.grid import combinations, leaderboard_of, refuse_large
from tuitrain.study.plan import Plan, Setting
from tuitrain.watch.leaderboard import (
    heat_map,
    leaderboard_csv,
    leaderboard_json,
    leaderboard_lines,
    leaderboard_rows,
)


def plan(*grid: tuple[str, list]) -> Plan:
    base = tiny(dropout=0.1)
    found = combinations(base, dict(grid))
    settings = tuple(
        Setting(str(chosen), preset, {} if preset == base else {"train.dropout": [0, 1]}, slug=f"s{n}")
        for n, (preset, chosen) in enumerate(found)
    )
    return Plan("sweep", "sweep", settings, (0, 1))


def test_every_combination_is_there_once_in_the_order_of_the_grid() -> None:
    made = plan(("train.dropout", [0.0, 0.1]), ("train.batch_size", [32, 64, 128]))
    values = [(s.preset.train.dropout, s.preset.train.batch_size) for s in made.settings]
    assert values == [(d, b) for d in (0.0, 0.1) for b in (32, 64, 128)]


def test_a_value_that_cannot_be_used_is_named_with_its_combination() -> None:
    with pytest.raises(PresetError, match=r"train.dropout is 2.*\(in train.dropout=2"):
        plan(("train.dropout", [0.0, 2]), ("train.batch_size", [32]))


def test_grids_that_are_empty_or_far_too_large_are_refused_with_the_count() -> None:
    for grid in ({}, {"train.dropout": []}):
        with pytest.raises(UsageError, match="grid is empty"):
            refuse_large(grid, 1)
    with pytest.raises(UsageError, match="10,000,000 settings with 3 seeds are 30,000,000 runs"):
        refuse_large({"a": range(10_000), "b": range(1000)}, 3)


def test_the_leaderboard_ranks_by_mean_and_compares_with_the_preset_as_it_is() -> None:
    made = plan(("train.dropout", [0.0, 0.1, 0.2]), ("train.batch_size", [32, 64]))
    rng = np.random.default_rng(3)
    rights = [rng.random((2, 200)) < share for share in (0.5, 0.6, 0.9, 0.7, 0.4)]
    groups = [group(s.label, right) for s, right in zip(made.settings, rights, strict=False)]
    groups.append(group(made.settings[-1].label, np.zeros((0, 200)), waiting=2))
    board = leaderboard_of(made, groups)
    assert board.keys == ("batch size", "dropout")
    means = [place.mean for place in board.ranked if place.mean is not None]
    assert means == sorted(means, reverse=True) and board.ranked[-1].mean is None
    assert board.base is not None and board.base.values == (64, 0.1)
    lines = leaderboard_lines(board)
    assert (
        "best of 5 settings" in lines[2]
        and "choice by accuracy on the test set" in lines[3]
        and "is better than" in lines[1]
    )
    assert len(leaderboard_rows(board)) == len(leaderboard_json(board)) == 6
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv(board))))
    assert [row["rank"] for row in rows] == list("123456") and float(rows[0]["mean"]) == pytest.approx(
        means[0]
    )
    heat = heat_map(board)
    assert (
        heat is not None and heat.keys == ("batch size", "dropout") and heat.columns == ("0.0", "0.1", "0.2")
    )
    assert [value for value, _ in heat.rows] == ["32", "64"] and heat.rows[1][1][2].share is None
    shares = {cell.text: cell.share for _, row in heat.rows for cell in row}
    assert shares[percent_text(means[0])] == 1.0 and shares[percent_text(means[-1])] == 0.0
    assert {cell.shade for _, row in heat.rows for cell in row} >= {"█", " "}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--grid", "lr"], "key=value,value"),
        (["--grid", "lr=0.1,0.1"], "twice"),
        (
            ["--grid", "lr=0.1", "--grid", "train.optimizer.lr=0.2"],
            "is there twice; give all its values at once",
        ),
        (["--grid", "lr=x"], "train.optimizer.lr is 'x'"),
        (["--grid", "lr=0.01,x"], "train.optimizer.lr is 'x'"),
        (["--grid", "seed=1,2"], "name them as seeds"),
        (["--grid", "dropout=0", "--budget", "100"], "--budget 100: step13 has 5,854 parameters"),
        (["--grid", "nothing=1"], "train.nothing is not a known key"),
        (["--grid", "dropout=0", "--seeds", "3,3"], "given twice"),
        (["missing.toml"], "missing.toml can't be read"),
    ],
)
def test_what_cannot_be_swept_is_one_sentence(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, ["sweep", "--dry-run", *arguments])
    assert isinstance(done.exception, TuitrainError) and sentence in str(done.exception)


def test_a_file_says_the_same_as_flags(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text('preset = "step13"\nseeds = 2\n[grid]\nlr = [0.1, 0.2]\n[set.train]\nepochs = 3\n')
    by_file = CliRunner().invoke(app, ["sweep", "--dry-run", str(path)])
    by_flags = CliRunner().invoke(
        app, ["sweep", "--dry-run", "--seeds", "2", "--grid", "lr=0.1,0.2", "--epochs", "3"]
    )
    assert by_file.exit_code == by_flags.exit_code == 0
    assert by_file.output == by_flags.output and "2 settings, 2 seeds each: 4 runs" in by_file.output
    path.write_text("presets = 3\n")
    assert "did you mean 'preset'" in str(CliRunner().invoke(app, ["sweep", str(path)]).exception)
    path.write_text('preset = "step13"\nseeds = 2\n[grid]\nlr = [0.1, 0.2]\n')
    said = CliRunner().invoke(app, ["sweep", "--dry-run", str(path), "--seeds", "5", "--grid", "dropout=0"])
    assert "2 settings, 5 seeds each: 10 runs" in said.output  # the command line counts more than the file
    path.write_bytes(b"x = 1\n" * 20_000)
    assert "larger than 64 KiB" in str(CliRunner().invoke(app, ["sweep", str(path)]).exception)
