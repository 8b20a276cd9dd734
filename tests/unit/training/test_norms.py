"""Norms of weights, gradients and updates: their values, and that measuring them changes nothing."""

from dataclasses import replace

import pytest
import torch

from support.training_small import CPU, run, stripes, tiny
from tuitrain.training import trainer
from tuitrain.training.events import EpochFinished, from_line, to_line
from tuitrain.training.job import Job
from tuitrain.training.norms import LastStep
from tuitrain.training.trainer import Trainer
from tuitrain.watch import norms


def epochs_of(events) -> list[EpochFinished]:
    return [event for event in events if isinstance(event, EpochFinished)]


def test_they_are_those_of_the_last_step_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain SGD moves weights by the rate times the gradient, so each number follows from the two others."""
    preset = tiny(epochs=2, optimizer={"name": "sgd", "lr": 0.05})
    measured, events = run(preset)
    epochs = epochs_of(events)
    final = measured.network.state_dict()
    assert list(epochs[-1].norms) == ["conv1.weight", "conv2.weight", "conv3.weight"]
    for name, (weight, gradient, update) in epochs[-1].norms.items():
        assert update == pytest.approx(0.05 * gradient / weight, rel=1e-3)
        after = float(torch.linalg.vector_norm(final[name]))
        assert abs(after - weight) <= 0.05 * gradient * 1.001 and weight > 0
    monkeypatch.setattr(LastStep, "before", lambda *_: None)
    monkeypatch.setattr(LastStep, "after", lambda *_: None)
    plain, events = run(preset)
    assert epochs_of(events)[-1].norms == {}
    assert plain.state().sha256() == measured.state().sha256()


def test_a_log_without_them_opens_and_checkpoints_are_without_them() -> None:
    preset = tiny(epochs=1)
    made = Trainer(Job(preset, CPU), stripes())
    (epoch,) = epochs_of(made.run())
    assert epoch.norms and made.position.history[0].norms == {} and '"norms":{}' in made.position.lines[0]
    from tuitrain.training.events import Record

    line = to_line(Record(epoch, 1.0, 1.0))
    assert from_line(line).event == epoch
    old = line.partition(',"norms":')[0] + "}"
    assert from_line(old).event == replace(epoch, norms={})
    assert trainer.LastStep is LastStep


def updated(*updates: float, epoch: int = 1) -> EpochFinished:
    told = {f"conv{n}.weight": [1.0, 1.0, update] for n, update in enumerate(updates, 1)}
    return EpochFinished(epoch, 9, 0.1, 0.9, 0.1, 0.9, 0.1, 1.0, 1.0, 1.0, 1.0, 100, norms=told)


def test_far_off_is_said_after_three_epochs_in_a_row() -> None:
    far, good, still = updated(0.2, 1e-3), updated(1e-3, 1e-3), updated(1e-8, 1e-9)
    assert norms.far_off([far, far])[0] == norms.far_off([far, far, good])[0] == 0
    way, said = norms.far_off([good, far, far, far])
    assert way == 1 and said == "steps move conv1 too far: 2.0e-1 of its norm"
    way, said = norms.far_off([still] * 3)
    assert way == -1 and said == "steps move 2 layers hardly at all: 1.0e-9 of their norm"
    assert norms.far_off([far, still, far])[0] == 0 and norms.far_off([])[0] == 0


@pytest.mark.parametrize("told", [{"a.weight": [1.0]}, {"a.weight": ["x", None, True]}, {"\x1b": [1, 2, 3]}])
def test_what_is_no_norm_harms_nothing(told) -> None:
    epoch = replace(updated(1e-3), norms=told)
    for layer in norms.layer_norms(epoch).values():
        assert norms.update_text(layer.update) and "\x1b" not in layer.name
    norms.far_off([epoch] * 3)
