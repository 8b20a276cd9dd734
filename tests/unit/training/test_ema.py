"""Averaged weights: what they are, that they change nothing else, and that they are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from support.training_small import WORDS, run, stored, stripes, tiny
from tuitrain.errors import CheckpointError, PresetError
from tuitrain.runs.branch import begun_from
from tuitrain.spec.preset import preset_from_dict
from tuitrain.training.ema import Averaged, averaged_model
from tuitrain.training.job import Job
from tuitrain.training.judging import Judge, losses
from tuitrain.training.model import build
from tuitrain.training.state import TrainerState
from tuitrain.training.step import Stepper
from tuitrain.training.trainer import Trainer

STRIPES = stripes()


def stepped(steps: int, **train: Any) -> tuple[Stepper, list[dict[str, Tensor]]]:
    """A stepper after some steps, and its network after each."""
    preset = tiny(WORDS, **train)
    stepper = Stepper(build(preset), preset.train, torch.device("cpu"))
    stepper.begin_epoch(0, torch.tensor(STRIPES.train.images), torch.tensor(STRIPES.train.labels).long())
    stepper.set_lr(0.05)
    seen = []
    for _ in range(steps):
        stepper.step()
        seen.append({name: tensor.clone() for name, tensor in stepper.network.state_dict().items()})
    return stepper, seen


@cache
def trained(decay: float | None) -> TrainerState:
    """The state after two epochs; not to be changed."""
    return run(tiny(epochs=2, ema=decay))[0].state()


def test_they_are_the_weighted_mean_of_the_networks_after_each_step_without_the_one_before_the_first() -> (
    None
):
    stepper, seen = stepped(4, ema=0.7)
    assert stepper.averaged is not None
    found = averaged_model(stepper.network.state_dict(), stepper.averaged.tensors())
    shares = [0.3 * 0.7 ** (3 - step) for step in range(4)]
    assert found.keys() == seen[-1].keys()
    for name, tensor in found.items():
        if not tensor.is_floating_point():
            assert torch.equal(tensor, seen[-1][name])  # a count of batches
            continue
        by_hand = sum(share * one[name].double() for share, one in zip(shares, seen, strict=True)) / sum(
            shares
        )
        torch.testing.assert_close(tensor.double(), by_hand, rtol=1e-5, atol=1e-7)
    assert not torch.equal(found["conv1_batchnorm.running_mean"], seen[-1]["conv1_batchnorm.running_mean"])
    first, only = stepped(1, ema=0.999)
    assert first.averaged is not None
    one = averaged_model(first.network.state_dict(), first.averaged.tensors())
    torch.testing.assert_close(one, only[0])


def test_nothing_else_changes_and_the_network_is_as_before_after_they_were_judged() -> None:
    plain, averaged = run(tiny())[0], run(tiny(ema=0.9))[0]
    assert averaged.state().model_sha256() == plain.state().model_sha256()
    for one, other in zip(plain.position.history, averaged.position.history, strict=True):
        assert (one.test_loss, one.test_acc, one.train_loss) == (
            other.test_loss,
            other.test_acc,
            other.train_loss,
        )
        assert one.ema_test_acc is None and one.ema_test_loss is None and other.ema_test_loss is not None
        assert other.ema_test_loss != other.test_loss


def test_the_figures_are_those_of_the_averaged_network() -> None:
    preset = tiny(WORDS, epochs=2, ema=0.9)
    trainer, _ = run(preset)
    state, last = trainer.state(), trainer.position.history[-1]
    network = build(preset)
    network.load_state_dict(state.averaged_model())
    said = Judge(network, preset).log_probabilities(STRIPES.test.images)
    assert last.ema_test_acc == (said.argmax(1) == STRIPES.test.labels).mean()
    assert math.isclose(last.ema_test_loss or 0, losses(said, STRIPES.test.labels).mean(), rel_tol=1e-4)


def test_a_checkpoint_with_other_averages_is_refused_in_a_sentence() -> None:
    changes: list[Callable[[dict[str, Tensor]], Any]] = [
        lambda tensors: tensors.pop("ema.weight"),
        lambda tensors: tensors.pop("ema.sum.conv1.weight"),
        lambda tensors: tensors.update({"ema.sum.x\x1b": torch.zeros(1)}),
        lambda tensors: tensors.update({"ema.sum.conv1.weight": torch.zeros(1)}),
        lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("ema.")],
    ]
    state = stored(trained(0.9))
    for change in changes:
        tensors, meta = dict(state.tensors()), state.meta | {"epochs": 3}
        change(tensors)
        with pytest.raises(CheckpointError, match="does not fit the averaged weights at") as caught:
            run(tiny(epochs=2, ema=0.9), resume=TrainerState.from_tensors(tensors, meta))
        assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_checkpoint_with_averages_does_not_fit_a_run_without() -> None:
    with_averages, without, meta = trained(0.9), tiny(epochs=2), trained(None).meta
    with pytest.raises(CheckpointError, match="belongs to other settings"):
        run(
            without,
            resume=TrainerState(with_averages.model, with_averages.optimizer, meta, with_averages.ema),
        )


@pytest.mark.parametrize(("parent", "branch"), [(None, 0.9), (0.9, 0.9), (0.9, 0.5), (0.9, None)])
def test_a_branch_goes_on_with_its_parents_averages_or_begins_its_own(
    parent: float | None, branch: float | None
) -> None:
    state = trained(parent)
    job = Job(tiny(epochs=3, ema=branch))
    begun = begun_from(state, job)
    if branch is None:
        assert not begun.ema
    elif parent is None:
        assert not any(tensor.any() for tensor in begun.ema.values())
    else:
        assert begun.ema is state.ema
    trainer = Trainer(job, STRIPES, resume=stored(begun), begins=True)
    for _ in trainer.run():
        pass
    assert (trainer.position.history[-1].ema_test_acc is None) == (branch is None)


@pytest.mark.parametrize(
    ("value", "says"), [(1.0, "below 1"), (0.0, "above 0"), (True, "a number"), ("x", "a number")]
)
def test_a_decay_that_is_none_is_refused(value: Any, says: str) -> None:
    data = {"train": {"ema": value}, "model": {"layers": [{"conv": 10}, {"global_avgpool": True}]}}
    with pytest.raises(PresetError, match=f"train.ema is .*{says}"):
        preset_from_dict(data, "a test")


def test_averages_of_what_never_changes_are_exact() -> None:
    fixed = {"mask": torch.tensor([0.0, 1.0]), "count": torch.tensor(3)}
    averaged = Averaged(0.99, fixed)
    for _ in range(1000):
        averaged.update()
    assert torch.equal(averaged_model(fixed, averaged.tensors())["mask"], fixed["mask"])
    assert averaged_model(fixed, Averaged(0.9, fixed).tensors()) == {}
