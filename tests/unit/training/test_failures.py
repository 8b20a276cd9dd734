"""What goes wrong in training: a loss that is not finite, and memory that runs out."""

import math
from functools import cache
from typing import Any

import pytest
import torch

from support.training_small import CPU, run, stripes, tiny
from tuitrain.training import devices, step
from tuitrain.training.events import EpochFinished, RunFinished, StepProgress
from tuitrain.training.job import Job
from tuitrain.training.memory import out_of_memory_message
from tuitrain.training.trainer import Trainer


def finished(events: list[Any]) -> RunFinished:
    assert isinstance(events[-1], RunFinished)
    assert sum(isinstance(event, RunFinished) for event in events) == 1
    return events[-1]


def test_a_learning_rate_far_too_high_diverges_and_says_so() -> None:
    trainer, events = run(tiny(optimizer={"name": "sgd", "lr": 1e6}, epochs=30))
    end = finished(events)
    assert end.outcome == "diverged" and "learning rate below 1e+06" in end.message
    assert trainer.state().finite()


@pytest.mark.parametrize("at", [0, 1, 4, 5, 7, 9, 14, 15, 19])  # an epoch is five steps
def test_a_loss_that_stops_being_finite_is_found_within_its_epoch(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, steps = step.F.cross_entropy, 0

    def poisoned(logits: torch.Tensor, labels: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        nonlocal steps
        loss = original(logits, labels, **kwargs)
        if kwargs.get("reduction") == "none":
            return loss
        steps += 1
        return loss * math.nan if steps - 1 == at else loss

    monkeypatch.setattr(step.F, "cross_entropy", poisoned)
    trainer = Trainer(Job(tiny(epochs=4), CPU), stripes())
    events = []
    for event in trainer.run():
        events.append(event)
        if isinstance(event, EpochFinished | StepProgress):
            assert math.isfinite(event.train_loss)
    end = finished(events)
    assert end.outcome == "diverged"
    assert end.epochs == at // 5 == trainer.state().epoch  # before the end of its epoch
    assert trainer.state().finite()


def test_weights_that_stop_being_finite_are_never_handed_out() -> None:
    trainer = Trainer(Job(tiny(epochs=3), CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished) and event.epoch == 1:
            with torch.no_grad():
                next(trainer.network.parameters()).fill_(math.inf)
    assert trainer.state().epoch == 1 and trainer.state().finite()


# --------------------------------------------------------------------------------------- memory


def no_memory(kind: str) -> Exception:
    if kind == "cuda":
        return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    return RuntimeError(
        "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried"
    )


class Failing:
    """Raises once, at the chosen call."""

    def __init__(self, original: Any, error: Exception, call: int) -> None:
        self.original, self.error, self.left = original, error, call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.original(*args, **kwargs)


PLACES = {
    "forward": (step.Stepper, "logits", 3),
    "backward": (torch.Tensor, "backward", 7),
    "step": (step.Optimizer, "step", 2),
    "evaluation": (step.Stepper, "_judge", 1),
    "data": (torch.Tensor, "index_select", 1),
}


@cache
def undisturbed() -> str:
    return run(tiny())[0].state().sha256()


@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.slow
def test_out_of_memory_names_a_batch_size_and_the_next_run_works(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, call = PLACES[place]
    for again, kind in enumerate(("cuda", "cpu")):
        original = getattr(owner, name)
        failing = Failing(original, no_memory(kind), call + again)
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, lambda *args, failing=failing, **kwargs: failing(*args, **kwargs))
            trainer, events = run(tiny())
        end = finished(events)
        assert end.outcome == "out_of_memory" and "--batch-size 32" in end.message
        assert trainer._stepper is None and trainer.state().finite()
        assert run(tiny())[0].state().sha256() == undisturbed()


@pytest.mark.parametrize(("batch", "smaller"), [(2, 1), (3, 2), (64, 32), (100, 64), (1000, 512)])
def test_the_batch_size_to_try_is_the_next_smaller_power_of_two(batch: int, smaller: int) -> None:
    assert out_of_memory_message("cpu", batch).endswith(f"--batch-size {smaller}.")


def test_what_is_not_about_memory_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step.Optimizer, "step", Failing(None, RuntimeError("shapes differ"), 1))
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(tiny())


def test_the_words_that_mean_memory() -> None:
    assert devices.is_out_of_memory(no_memory("cuda")) and devices.is_out_of_memory(no_memory("cpu"))
    assert devices.is_out_of_memory(MemoryError()) and not devices.is_out_of_memory(
        ValueError("out of memory")
    )
    assert not devices.is_out_of_memory(RuntimeError("mat1 and mat2 shapes"))


def test_a_real_allocation_that_fails_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert devices.is_out_of_memory(caught.value)


def test_a_run_that_is_abandoned_gives_everything_back() -> None:
    trainer = Trainer(Job(tiny(), CPU), stripes())
    before = torch.get_num_threads()
    events = trainer.run()
    for event in events:
        if isinstance(event, EpochFinished):
            break
    events.close()
    assert trainer._stepper is None and torch.get_num_threads() == before
