"""A resumed run equals an uninterrupted one to the bit: model, optimizer, schedule, metrics."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from support.training_small import CPU, WORDS, metrics, run, shortened, stored, stripes, tiny
from tuitrain.errors import CheckpointError
from tuitrain.spec.preset import Preset
from tuitrain.spec.preset_files import list_presets
from tuitrain.training import epoch_images, step
from tuitrain.training.command import RunControl
from tuitrain.training.events import Control, EpochFinished, Event, Phase, StepProgress
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.state import TrainerState
from tuitrain.training.trainer import Trainer

FAMILIES = ["step1", "step13", "twelvek", "drill5", "mlp", "net8"]


def interrupted_at(preset: Preset, at: set[tuple[int, int]], runtime: Runtime = CPU) -> Trainer:
    """A run that is stopped at (epoch, step) after (epoch, step) and taken up from what was stored."""
    state: TrainerState | None = None
    while True:
        trainer = Trainer(Job(preset, runtime), stripes(), resume=state)
        control = RunControl()
        events = trainer.run(control)
        for event in events:
            if event_is(event, "training"):
                stepper = trainer._stepper
                take = stepper.step

                def one(take: Any = take, trainer: Trainer = trainer, control: RunControl = control) -> None:
                    if (trainer.position.epoch, trainer.position.step + 1) in at:
                        at.remove((trainer.position.epoch, trainer.position.step + 1))
                        control.stop("interrupted")
                    take()

                stepper.step = one
            if isinstance(event, EpochFinished) and (event.epoch, 0) in at:
                at.remove((event.epoch, 0))
                events.close()
                break
        else:
            if trainer.position.epoch == trainer.position.epochs:
                assert not at
                return trainer
        state = stored(trainer.state())


def event_is(event: Event, phase: str) -> bool:
    return getattr(event, "phase", None) == phase


@pytest.mark.parametrize("name", FAMILIES)
def test_interrupted_after_every_epoch(name: str) -> None:
    preset = shortened(name, epochs=3)
    whole, _ = run(preset)
    again = interrupted_at(preset, {(1, 0), (2, 0)})
    assert again.state().sha256() == whole.state().sha256()
    assert metrics(again) == metrics(whole)


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"optimizer": {"name": "adam", "lr": 0.01}, "schedule": {"name": "onecycle"}},
        {
            "optimizer": {"name": "adamw", "lr": 0.01},
            "schedule": {"name": "cosine"},
            "erase": 0.5,
            "shift": 2.0,
        },
        {"optimizer": {"name": "rmsprop", "lr": 0.001, "momentum": 0.5}, "l1": 1e-4},
        {"schedule": {"name": "plateau", "patience": 0, "threshold": 0.5}, "label_smoothing": 0.1},
        {
            "schedule": {"name": "cyclic", "epochs_up": 0.5},
            "rotation": [-9.0, 2.0],
            "crop": 22,
            "brightness": 0.3,
            "contrast": 0.3,
            "augment_p": {"rotation": 0.5, "crop": 0.3},
            "warmup": 1,
            "clip_norm": 0.5,
        },
        {"layers": WORDS, "ema": 0.9},
    ],
)
def test_interrupted_inside_epochs(train: dict[str, Any]) -> None:
    preset = tiny(**train)
    whole, _ = run(preset)
    again = interrupted_at(preset, {(0, 1), (0, 4), (1, 0), (1, 3), (2, 2)})
    assert again.state().sha256() == whole.state().sha256()
    assert metrics(again) == metrics(whole)


@pytest.mark.long
@pytest.mark.parametrize("entry", [e.name for e in list_presets() if e.builtin])
def test_every_preset_interrupted_after_every_epoch(entry: str) -> None:
    preset = shortened(entry, epochs=4)
    whole, _ = run(preset)
    assert interrupted_at(preset, {(1, 0), (2, 0), (2, 3), (3, 0)}).state().sha256() == whole.state().sha256()


def test_measured_threads_are_kept_by_the_resumed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    preset, free = tiny(), Runtime(device="cpu", compile="off")
    monkeypatch.setattr("tuitrain.training.machine._fastest", lambda stepper, cores: 2)
    monkeypatch.setattr("tuitrain.training.machine.usable_cpus", lambda: 2)
    whole, _ = run(preset, runtime=free)
    trainer = Trainer(Job(preset, free), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    # The machine is busy now: a measurement would choose otherwise.
    monkeypatch.setattr("tuitrain.training.machine._fastest", lambda stepper, cores: 1)
    again, _ = run(preset, runtime=free, resume=stored(trainer.state()))
    assert again.machine.threads == 2
    assert again.state().sha256() == whole.state().sha256()


def test_the_test_has_teeth_without_keyed_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    # One stream for everything, as a program has that seeds once: a new process begins it anew.
    for module in (epoch_images, step):
        monkeypatch.setattr(module, "key", lambda *_: int(torch.randint(0, 2**62, ())))
    torch.manual_seed(0)
    trainer = Trainer(Job(tiny(), CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished) and event.epoch == 1:
            state = stored(trainer.state())
    torch.manual_seed(0)
    again, _ = run(tiny(), resume=state)
    assert again.state().sha256() != trainer.state().sha256()


def test_the_hash_sees_every_part() -> None:
    state = run(tiny(epochs=1))[0].state()
    assert stored(state).sha256() == state.sha256()
    for part in (state.model, state.optimizer):
        changed = stored(state)
        name = next(iter(part))
        target = changed.model if part is state.model else changed.optimizer
        target[name].view(-1)[0] += 1e-7
        assert changed.sha256() != state.sha256()
    changed = stored(state)
    changed.meta["schedule"]["base"] *= 1.01
    assert changed.sha256() != state.sha256()
    assert stored(state).model_sha256() == state.model_sha256()


def test_a_resumed_run_says_so_and_keeps_its_time() -> None:
    preset = tiny()
    trainer = Trainer(Job(preset, CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    state = stored(trainer.state())
    state.meta["elapsed_s"] = 1000.0
    _, events = run(preset, resume=state)
    first = next(event for event in events if not isinstance(event, Phase | StepProgress))
    assert isinstance(first, Control) and (first.action, first.epoch) == ("restarted", 1)
    assert [event.epoch for event in events if isinstance(event, EpochFinished)] == [2, 3]
    assert events[-1].seconds > 1000 and events[-1].epochs == 3


def test_commands_survive_a_resume() -> None:
    preset = tiny(epochs=2)
    control = RunControl()
    control.add_epochs(2)
    control.set_lr(0.01)
    whole, _ = run(preset, control=control)
    control = RunControl()
    control.add_epochs(2)
    control.set_lr(0.01)
    trainer = Trainer(Job(preset, CPU), stripes())
    for event in trainer.run(control):
        if isinstance(event, EpochFinished):
            break
    again, _ = run(preset, resume=stored(trainer.state()))
    assert again.state().sha256() == whole.state().sha256() and again.position.epoch == 4


def test_a_finished_run_has_nothing_left_and_can_be_made_longer() -> None:
    preset = tiny(epochs=2)
    trainer, _ = run(preset)
    done, events = run(preset, resume=stored(trainer.state()))
    assert events[-1].outcome == "completed" and done.state().sha256() == trainer.state().sha256()
    longer = Trainer(Job(preset, CPU), stripes(), resume=stored(trainer.state()), epochs=3)
    assert [event.epoch for event in longer.run() if isinstance(event, EpochFinished)] == [3]
    assert longer.state().sha256() == run(tiny(epochs=3))[0].state().sha256()


def test_the_first_state_is_before_the_first_step() -> None:
    preset = tiny()
    state = stored(Trainer(Job(preset, CPU), stripes()).state())
    assert (state.epoch, state.step) == (0, 0)
    assert run(preset, resume=state)[0].state().sha256() == run(preset)[0].state().sha256()


HOSTILE: list[Any] = [
    ("a tensor of another name", lambda t, m: t.update({"weird\x1b[2J": torch.zeros(1)})),
    ("a tensor missing", lambda t, m: t.pop("model.conv1.weight")),
    ("a tensor too many", lambda t, m: t.update({"model.conv9.weight": torch.zeros(1)})),
    ("another shape", lambda t, m: t.update({"model.conv1.weight": torch.zeros(1)})),
    ("another type", lambda t, m: t.update({"model.conv1.weight": t["model.conv1.weight"].double()})),
    ("no momentum", lambda t, m: t.pop("optimizer.conv1.weight.momentum_buffer")),
    ("another schema", lambda t, m: m.update(schema=99)),
    ("no epoch", lambda t, m: m.pop("epoch")),
    ("a negative epoch", lambda t, m: m.update(epoch=-1)),
    ("an epoch in words", lambda t, m: m.update(epoch="2")),
    ("beyond its end", lambda t, m: m.update(epoch=10**9)),
    ("a step too far", lambda t, m: m.update(step=5)),
    ("no sums", lambda t, m: m.pop("totals")),
    ("a history of nonsense", lambda t, m: m.update(history=[{"event": "os.system"}])),
    ("a history of numbers", lambda t, m: m.update(history=[1])),
    ("no schedule", lambda t, m: m.update(schedule=None)),
    ("a schedule of nonsense", lambda t, m: m.update(schedule={"base": "x"})),
    ("no machine", lambda t, m: m.pop("machine")),
    ("other data", lambda t, m: m.update(dataset="kmnist")),
    ("other settings", lambda t, m: m["preset"]["train"].update(batch_size=32)),
    ("no preset", lambda t, m: m.update(preset=None)),
]


@pytest.mark.parametrize(("what", "change"), HOSTILE, ids=[name for name, _ in HOSTILE])
def test_a_state_that_is_not_ours_is_refused_in_a_sentence(what: str, change: Any) -> None:
    preset = tiny(epochs=2)
    trainer = Trainer(Job(preset, CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    state = stored(trainer.state())
    tensors, meta = state.tensors(), state.meta
    change(tensors, meta)
    with pytest.raises(CheckpointError) as caught:
        run(preset, resume=TrainerState.from_tensors(tensors, meta))
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_weights_are_on_the_cpu_and_plain() -> None:
    state = run(tiny(epochs=1))[0].state()
    json.dumps(state.meta, allow_nan=False)
    for tensor in state.tensors().values():
        assert tensor.device.type == "cpu" and tensor.is_contiguous() and not tensor.requires_grad
        assert isinstance(tensor.numpy(), np.ndarray)
