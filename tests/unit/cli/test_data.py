"""`tuitrain data info | fetch | verify`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support import data_tiny
from tuitrain.cli.data import app
from tuitrain.data import catalog
from tuitrain.data.load import load_dataset
from tuitrain.errors import DataError, UsageError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_info_of_the_digits_agrees_with_numpy() -> None:
    facts = json.loads(run("info", "--dataset", "digits", "--json"))
    dataset = load_dataset("digits")
    for name, part in (("train", dataset.train), ("test", dataset.test)):
        assert facts[name]["images"] == len(part)
        assert facts[name]["shape"] == [28, 28]
        assert (facts[name]["min"], facts[name]["max"]) == (0, 255)
        assert facts[name]["mean"] == pytest.approx(part.images.mean() / 255)
        assert facts[name]["std"] == pytest.approx(part.images.std() / 255)
        assert facts[name]["class_counts"] == np.bincount(part.labels).tolist()
    text = run("info", "--dataset", "digits")
    assert "1,500" in text and "0.3059" in text and "28 x 28" in text and "scikit-learn" in text
    assert "\x1b" not in text


def test_info_of_mnist_gives_the_known_figures(mnist_dir: Path) -> None:
    text = run("info", "--data-dir", str(mnist_dir))
    for figure in ("60,000", "10,000", "0.1307", "0.3081", "6,742", "1,135", str(mnist_dir)):
        assert figure in text


def test_verify_reports_every_file_and_fails_on_a_damaged_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalog.SETS, data_tiny.NAME, data_tiny.spec(known=True))
    where = ("--dataset", data_tiny.NAME, "--data-dir", str(data_tiny.write(tmp_path / "[red]data")))
    report = json.loads(run("verify", *where, "--json"))
    assert report["ok"] is True
    assert [file["verified_by"] for file in report["files"]] == ["SHA-256"] * 4
    assert "[red]data" in run("verify", *where)
    assert json.loads(run("fetch", *where, "--json"))["ok"] is True  # whole already: no network asked
    (tmp_path / "[red]data" / "t10k-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"t10k-labels.*1 of 4 files wrong.*tuitrain data fetch --dataset kmnist"
    ):
        run("verify", *where)
    result = CliRunner().invoke(app, ["verify", *where, "--json"])
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert [file["problem"] is None for file in report["files"]] == [True, True, True, False]


def test_what_is_missing_or_unknown(tmp_path: Path) -> None:
    for command in ("info", "verify"):
        with pytest.raises(DataError, match="tuitrain data fetch --dataset mnist"):
            run(command, "--data-dir", str(tmp_path))
    with pytest.raises(UsageError, match="did you mean 'kmnist'"):
        run("info", "--dataset", "kmnst")
    assert not list(tmp_path.iterdir())
