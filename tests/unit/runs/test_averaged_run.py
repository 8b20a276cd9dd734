"""A run with averaged weights: what it keeps of them, and where they are shown beside its own."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from support.digits_runs import digits_run
from support.training_small import WORDS
from tuitrain import load_model
from tuitrain.cli.live import epoch_line
from tuitrain.cli.root import app
from tuitrain.data.load import load_dataset
from tuitrain.errors import UsageError
from tuitrain.figures import accuracy_text, loss_text, percent_text
from tuitrain.report import report_files
from tuitrain.runs.history import History
from tuitrain.runs.inspect import Evaluations
from tuitrain.runs.run_json import run_json
from tuitrain.training.judging import Judge
from tuitrain.tui.monitor import sheets
from tuitrain.tui.monitor.curves import picture
from tuitrain.watch.state import MonitorState, reduce_all
from tuitrain.watch.verdict import verdict_of


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return digits_run(folder, "averaged", WORDS, ema=0.9).path, digits_run(folder, "plain", WORDS).path


def history_of(run: Path) -> History:
    from tuitrain.runs.directory import RunDirectory

    return History.of(RunDirectory.open(run).events())


def test_the_averaged_network_can_be_loaded_and_says_what_the_run_said_of_it(runs: tuple[Path, Path]) -> None:
    averaged, plain = runs
    network, own = load_model(averaged / "model_ema.safetensors"), load_model(averaged / "model.safetensors")
    last = history_of(averaged).last
    assert last is not None and network.about["averaged"] is True and "averaged" not in own.about
    test = load_dataset("digits").test
    for one, accuracy in ((network, last.ema_test_acc), (own, last.test_acc)):
        said = Judge(one, history_of(averaged).preset).log_probabilities(test.images)
        assert np.mean(said.argmax(1) == test.labels) == one.about["test_accuracy"] == accuracy
    assert not (plain / "model_ema.safetensors").exists()
    assert history_of(plain).finished.model_sha256 == history_of(averaged).finished.model_sha256


def test_both_are_told_side_by_side_and_of_other_runs_nothing_is(runs: tuple[Path, Path]) -> None:
    history, other = history_of(runs[0]), history_of(runs[1])
    last = history.last
    acc, loss = accuracy_text(last.ema_test_acc), loss_text(last.ema_test_loss)
    assert f"  ema loss {loss} acc {acc}  lr " in epoch_line(last) and "ema" not in epoch_line(other.last)
    first, *rows = csv.reader((runs[0] / "metrics.csv").read_text().splitlines())
    assert first[-2:] == ["ema_test_loss", "ema_test_acc"]
    assert [float(cell) for cell in rows[-1][-2:]] == [last.ema_test_loss, last.ema_test_acc]
    assert (runs[1] / "metrics.csv").read_text().splitlines()[0].endswith("images_per_s")
    log = (runs[0] / "log.txt").read_text()
    assert f"Test set, averaged weights: Average loss: {last.ema_test_loss:.4f}, Accuracy: " in log
    assert f"({100 * last.ema_test_acc:.2f}%)" in log and "averaged" not in (runs[1] / "log.txt").read_text()
    told = run_json(history, runs[0])
    assert (told["last_ema_test_accuracy"], told["last_ema_test_loss"]) == (
        last.ema_test_acc,
        last.ema_test_loss,
    )
    assert run_json(other, runs[1])["last_ema_test_accuracy"] is None
    assert told["last_test_accuracy"] == last.test_acc == run_json(other, runs[1])["last_test_accuracy"]
    for run, found in ((history, True), (other, False)):
        verdict = verdict_of(run)
        assert (
            any("averaged weights (ema)" in figure.label and figure.here == acc for figure in verdict.figures)
            == found
        )
        assert any("model_ema.safetensors" in remark for remark in verdict.remarks) == found


def test_the_monitor_and_the_report_show_them(runs: tuple[Path, Path]) -> None:
    for run, found in zip(runs, (True, False), strict=True):
        from tuitrain.runs.directory import RunDirectory

        state = reduce_all(MonitorState(), RunDirectory.open(run).events())
        last = history_of(runs[0]).last
        head, rows = sheets.epochs(state)
        text = "\n".join("".join(part for part, _ in line) for line in (head, *rows))
        assert ("ema %" in text) == found
        assert all(len("".join(part for part, _ in line)) <= 80 for line in rows)
        if found:
            assert percent_text(last.ema_test_acc) in text
        for quantity, field in (("accuracy", "ema_test_acc"), ("loss", "ema_test_loss")):
            curves = {curve.name: curve.values for curve in picture(state, (), quantity).curves}
            assert ("ema" in curves) == found
            assert not found or curves["ema"][-1] == getattr(last, field)
        assert any("ema " in line.text for line in state.log) == found
        files = report_files(history_of(run), Evaluations(), None, ())
        report = files["report.md"]
        assert (f"averaged weights {accuracy_text(last.ema_test_acc)}" in report) == found
        assert ("test loss, ema" in report) == found
        assert ("averaged" in files["accuracy.svg"]) == found


def said(*arguments: object) -> Any:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


def test_predict_evaluate_and_activations_use_the_weights_that_are_asked_for(
    runs: tuple[Path, Path], tmp_path: Path
) -> None:
    averaged, plain = runs
    last = history_of(averaged).last
    going_on = tmp_path / "averaged"  # as a run that has no model file yet: its newest checkpoint is asked
    shutil.copytree(averaged, going_on)
    for name in ("model.safetensors", "model_ema.safetensors"):
        (going_on / name).unlink()
    for run in (averaged, going_on):
        for flags, accuracy, loss in (
            ([], last.test_acc, last.test_loss),
            (["--ema"], last.ema_test_acc, last.ema_test_loss),
        ):
            (found,) = said("evaluate", run, *flags)["runs"]
            assert found["accuracy"] == accuracy and found["loss"] == pytest.approx(loss, rel=1e-5)
            one = said("predict", run, "--index", 3, *flags)
            maps = said("activations", run, "--index", 3, *flags)
            assert found["averaged"] == one["averaged"] == maps["averaged"] == bool(flags)
            assert maps["probabilities"] == pytest.approx(one["probabilities"], abs=1e-6)
    assert last.test_acc != last.ema_test_acc  # else this shows nothing
    text = CliRunner().invoke(app, ["predict", str(averaged), "--index", "3", "--ema"]).output
    assert "by averaged after epoch" in text and ", averaged weights" in text
    text = CliRunner().invoke(app, ["evaluate", str(averaged), str(plain)]).output
    assert text.count("weights as trained") == 1  # of the run that has both
    for command in (
        ["predict", str(plain), "--random"],
        ["evaluate", str(averaged), str(plain)],
        ["activations", str(plain)],
    ):
        error = CliRunner().invoke(app, [*command, "--ema"]).exception
        assert isinstance(error, UsageError) and "run plain keeps no averaged weights" in str(error)
