"""What is found in a run's epochs and predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from support.groups_made import history
from support.monitor_recorded import DIRECTORY, recorded
from tuitrain.runs import inspect
from tuitrain.runs.history import History
from tuitrain.runs.inspect import Evaluations
from tuitrain.training.inspection import LastEvaluation, Predictions
from tuitrain.watch.analysis import changes_made, findings, ranges_text


def found(made: History, seen: Evaluations | None = None) -> dict[str, str]:
    return {finding.topic: finding.text for finding in findings(made, seen or Evaluations())}


def predictions(wrong: range, epoch: int, images: int = 1000) -> Predictions:
    labels = (np.arange(images) % 10).astype(np.uint8)
    said = labels.copy()
    said[list(wrong)] = (said[list(wrong)] + 1) % 10
    return Predictions(labels, said, np.full(images, 0.95, np.float32), epoch)


def kept(best: Predictions, last: Predictions) -> Evaluations:
    return Evaluations(
        LastEvaluation(last.labels, last.predictions, last.confidences, last.epoch, None), best
    )


def test_a_recorded_run_is_analysed() -> None:
    run = History.of(recorded())
    said = found(run, inspect.read(DIRECTORY))
    assert said["target"] == "No epoch reached 99.4 %: the best is 0.10 points short, 10 images of 10,000."
    assert said["train and test"].startswith(
        "In epoch 14: train 0.48 below test; in epoch 1: train 5.36 below test. Train accuracy is taken while"
    )
    assert said["last epochs"].startswith("The last 5 epochs lie within 0.04 points (99.26 to 99.30)")
    assert said["last epochs"].endswith("0.11 above that of the five before: the curve still rose.")
    assert said["published run"].startswith(
        "In epoch 14 the published run had 99.35 %, so this one is behind by 0.08"
    )
    assert "5,854 parameters, 97.6 % of the 6,000" in said["parameters"]
    assert "conv4 (1,320, 23 %)" in said["parameters"] and "40×40 pixels" in said["parameters"]
    assert said["mistakes"].startswith("73 of 10,000 images are misjudged, most often 4 taken for 9 (7)")
    assert "were not kept" in said["best or last"]  # an earlier version trained it


def test_the_best_epoch_is_told_from_the_last_by_the_images_that_each_has_right() -> None:
    run = history([0.5, 0.99, 0.985], target=None, images=1000)
    noise = found(run, kept(predictions(range(10), 2), predictions(range(5, 20), 3)))["best or last"]
    assert "the best alone is right on 10 images and the last alone on 5" in noise
    assert "two states of one network" in noise and noise.endswith("p = 0.3): no more than noise.")
    apart = found(run, kept(predictions(range(10), 2), predictions(range(40), 3)))["best or last"]
    assert "was picked from 3 epochs, which makes p too small" in apart
    other = kept(predictions(range(10), 1), predictions(range(40), 3))  # not of the best epoch
    assert "were not kept" in found(run, other)["best or last"]


def test_targets_gaps_and_ends_are_told_apart() -> None:
    said = found(history([0.98, 0.991, 0.985, 0.992, 0.993, 0.994], target=99.0))
    assert said["target"] == "99 % was reached in 4 of 6 epochs: 2, 4 to 6."
    assert found(history([0.98, 0.992], target=99.0))["target"] == "99 % was reached in epoch 2 alone, of 2."
    assert found(history([0.992, 0.992], target=99.0))["target"] == "All 2 epochs reached 99 %."
    settled = found(history([0.5, 0.6, *[0.99, 0.992] * 6], target=None))
    assert settled["last epochs"].endswith("the curve has settled.") and "target" not in settled
    made = history([0.9, 0.95], images=10_000)
    learned = replace(made, epochs=tuple(replace(epoch, train_acc=0.999) for epoch in made.epochs))
    assert "more than chance explains (0.44)" in found(learned)["train and test"]


def test_a_run_without_epochs_or_with_figures_that_are_not_finite_says_little() -> None:
    assert list(found(history([]))) == ["parameters"] and found(History()) == {}
    assert "last epochs" not in found(history([float("nan")] * 4, outcome="diverged"))


def test_what_was_changed_is_told_against_the_preset_and_the_preset_before_it() -> None:
    run = History.of(recorded())
    assert run.started is not None
    plain = [(finding.topic, finding.text) for finding in changes_made(run)]
    assert plain[0] == ("changed in step13", "nothing.")
    assert plain[1][0] == "step13 after step12" and "conv2 11 → 10" in plain[1][1]
    assert plain[1][1].endswith("Parameters 6,054 → 5,854.")
    changed = replace(run, started=replace(run.started, changed={"train.epochs": [14, 2]}))
    assert changes_made(changed)[0].text == "epochs 14 → 2." and "epochs" not in changes_made(changed)[1].text
    mine = replace(run, started=replace(run.started, own_network={"model": "a.py:Net", "sha256": "0"}))
    assert len(changes_made(mine)) == 1


def test_numbers_in_a_row_are_a_range() -> None:
    assert [ranges_text(n) for n in ([], [3], [3, 4], [3, 4, 5, 9])] == ["", "3", "3, 4", "3 to 5, 9"]
