"""A run that ends before its last epoch: why, that it is the same up to there, and how it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.training_small import CPU, metrics, run, stored, stripes, tiny
from tuitrain.errors import PresetError
from tuitrain.spec.preset import Preset, override
from tuitrain.training.early_stop import early_stop
from tuitrain.training.events import EpochFinished, RunFinished
from tuitrain.training.job import Job
from tuitrain.training.trainer import Trainer

EPOCHS = 6
PLAIN = tiny(epochs=EPOCHS)


def stopping(**settings: Any) -> Preset:
    return override(PLAIN, {f"train.early_stop.{key}": value for key, value in settings.items()})


def history(*accuracies: float, epoch_s: float = 1.0) -> list[EpochFinished]:
    event = EpochFinished(1, EPOCHS, 1.0, 0.5, 1.0, 0.5, 0.1, epoch_s / 2, epoch_s / 2, 1.0, 1.0, 100)
    return [replace(event, epoch=i + 1, test_acc=acc) for i, acc in enumerate(accuracies)]


@pytest.mark.parametrize(
    ("settings", "accuracies", "why"),
    [
        ({"target_epochs": 2, "target_accuracy": 99.0}, [0.99, 0.98, 0.995], ""),
        ({"target_epochs": 2, "target_accuracy": 99.0}, [0.98, 0.99, 0.995], "target"),
        ({"target_epochs": 1, "target_accuracy": 99.4}, [0.9940], "target"),
        ({"target_epochs": 1, "target_accuracy": 99.4}, [0.9939], ""),
        ({"patience": 2}, [0.5, 0.4], ""),
        ({"patience": 2}, [0.5, 0.4, 0.5], "patience"),  # as good is no new best
        ({"patience": 2}, [0.5, 0.4, 0.51, 0.5], ""),
        ({"max_seconds": 3.0}, [0.1, 0.2], ""),
        ({"max_seconds": 3.0}, [0.1, 0.2, 0.3], "max_seconds"),
        ({"patience": 1, "max_seconds": 3.0}, [0.1, 0.2, 0.3], "max_seconds"),
        ({}, [0.5] * EPOCHS, ""),
    ],
)
def test_what_ends_a_run(settings: dict[str, Any], accuracies: list[float], why: str) -> None:
    found, sentence = early_stop(stopping(**settings), history(*accuracies))
    assert found == why and bool(sentence) == bool(why)


def test_the_challenges_target_holds_where_no_other_is_named() -> None:
    challenged = override(PLAIN, {"challenge.target_accuracy": 99.0, "train.early_stop.target_epochs": 1})
    assert early_stop(challenged, history(0.99))[0] == "target"
    harder = override(challenged, {"train.early_stop.target_accuracy": 99.5})
    assert early_stop(harder, history(0.99))[0] == ""
    with pytest.raises(PresetError, match=r"early_stop\.target_epochs needs a target"):
        stopping(target_epochs=1)


def finished(events: list[Any]) -> RunFinished:
    (last,) = [event for event in events if isinstance(event, RunFinished)]
    return last


def test_it_is_complete_the_same_up_to_there_and_goes_on_as_if_it_had_not_ended() -> None:
    whole, events = run(PLAIN)
    assert finished(events).stopped_early == ""
    accuracies = [epoch.test_acc for epoch in whole.position.history]
    preset = stopping(target_epochs=2, target_accuracy=100 * min(accuracies))
    trainer, events = run(preset)
    end = finished(events)
    assert (end.outcome, end.stopped_early, end.epochs) == ("completed", "target", 2)
    assert "in 2 epochs in a row" in end.message
    assert metrics(trainer) == metrics(whole)[:2]
    # Taken up as it is, it has ended; made longer, its epochs count anew.
    again, events = run(preset, resume=stored(trainer.state()))
    assert (finished(events).stopped_early, finished(events).message, again.position.epoch) == (
        "target", end.message, 2,
    )  # fmt: skip
    longer = Trainer(Job(preset, CPU), stripes(), resume=stored(trainer.state()), epochs=EPOCHS)
    end = finished(list(longer.run()))
    assert (end.stopped_early, end.epochs) == ("target", 4)
    assert metrics(longer) == metrics(whole)[:4]
    to_the_end = Trainer(Job(preset, CPU), stripes(), resume=stored(longer.state()), epochs=5)
    end = finished(list(to_the_end.run()))
    assert (end.outcome, end.stopped_early, end.epochs) == ("completed", "", 5)
    assert metrics(to_the_end) == metrics(whole)[:5]


def test_an_interrupted_run_ends_early_where_the_whole_one_does() -> None:
    whole, events = run(stopping(patience=1))
    ended = finished(events).epochs
    trainer = Trainer(Job(stopping(patience=1), CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    again, events = run(stopping(patience=1), resume=stored(trainer.state()))
    assert finished(events).epochs == ended == again.position.epoch
    assert again.state().model_sha256() == whole.state().model_sha256()


def test_a_checkpoint_from_before_these_words_goes_on() -> None:
    trainer, _ = run(override(PLAIN, {"train.epochs": 2}))
    state = stored(trainer.state())
    del state.meta["early"]
    for key in ("early_stop", "augment_p", "crop", "warmup", "warmup_start", "clip_norm", "fill"):
        del state.meta["preset"]["train"][key]
    again = Trainer(Job(override(PLAIN, {"train.epochs": 2}), CPU), stripes(), resume=state, epochs=3)
    list(again.run())
    whole, _ = run(override(PLAIN, {"train.epochs": 3}))
    assert again.state().model_sha256() == whole.state().model_sha256()


def test_the_wait_for_the_images_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    from tuitrain.training.epoch_images import EpochImages

    made = EpochImages.epoch

    def slow(self: EpochImages, epoch: int) -> Any:
        time.sleep(0.2)
        return made(self, epoch)

    monkeypatch.setattr(EpochImages, "epoch", slow)
    trainer, _ = run(override(PLAIN, {"train.epochs": 3}))
    for epoch in trainer.position.history:
        assert epoch.data_wait_s >= 0.2
        assert epoch.data_wait_s < epoch.train_s or epoch.epoch == 1
