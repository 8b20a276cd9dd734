"""The trainer: its stream of events, the commands it obeys, and what it says about a run."""

import functools
import math
import threading
import time
from collections.abc import Callable

import numpy as np
import psutil
import pytest
import torch

from support.training_small import CPU, TINY, run, shortened, stripes, tiny
from tuitrain.data.dataset import Dataset, Images
from tuitrain.errors import DeviceError, PresetError, UsageError
from tuitrain.spec.preset import Preset
from tuitrain.training import clock, devices, state
from tuitrain.training.command import RunControl
from tuitrain.training.events import (
    Control,
    EpochFinished,
    Event,
    Notice,
    Phase,
    RunFinished,
    RunStarted,
    StepProgress,
)
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.trainer import Trainer


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events if not isinstance(event, Phase | StepProgress)]


def start_of(events: list[Event]) -> RunStarted:
    return next(event for event in events if isinstance(event, RunStarted))


def test_a_run_is_a_stream_from_started_to_finished() -> None:
    trainer, events = run(tiny())
    assert kinds(events) == ["RunStarted", *["EpochFinished"] * 3, "RunFinished"]
    started, finished = start_of(events), events[-1]
    assert isinstance(started, RunStarted) and isinstance(finished, RunFinished)
    assert (started.steps_per_epoch, started.train_images, started.test_images) == (5, 300, 100)
    assert started.parameters == trainer.table.parameters and started.device == "cpu"
    assert finished.outcome == "completed" and finished.epochs == 3
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    assert finished.best_test_acc == max(event.test_acc for event in epochs)
    assert finished.last_test_loss == epochs[-1].test_loss
    assert finished.model_sha256 == trainer.state().model_sha256()
    phases = [event.phase for event in events if isinstance(event, Phase)]
    assert phases == ["loading data", "warming up", *["training", "evaluating"] * 3]


def test_it_learns() -> None:
    _, events = run(tiny(epochs=12, dropout=0.0), dataset=stripes(1000, 200))
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    assert epochs[-1].test_acc > 0.9
    assert epochs[-1].train_loss < epochs[0].train_loss / 2


@pytest.mark.parametrize(
    "train",
    [
        {"optimizer": {"name": "adam", "lr": 0.01}},
        {"optimizer": {"name": "adamw", "lr": 0.01}},
        {"optimizer": {"name": "rmsprop", "lr": 0.001}},
        {"schedule": {"name": "onecycle"}, "label_smoothing": 0.1, "l1": 1e-4},
        {"shift": 2.0, "zoom": 0.1, "shear": 5.0, "erase": 0.5},
    ],
)
def test_it_learns_with_every_setting(train: dict) -> None:
    _, events = run(tiny(epochs=8, dropout=0.0, **train), dataset=stripes(600, 100))
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert epochs[-1].test_acc > 0.3


def test_losses_and_accuracies_are_means_over_images() -> None:
    # A learning rate of next to nothing: the epoch's running figures are those of the first weights.
    dataset = stripes(150, 150)
    dataset = Dataset("mnist", dataset.train, dataset.train, dataset.classes, "the same twice")
    layers = [{"conv": 10, "kernel": 5, "stride": 3}, {"global_avgpool": True}]
    preset = tiny(layers, epochs=1, rotation=0.0, dropout=0.0, optimizer={"name": "sgd", "lr": 1e-12})
    _, events = run(preset, dataset=dataset)
    epoch = next(event for event in events if isinstance(event, EpochFinished))
    assert math.isclose(epoch.train_loss, epoch.test_loss, rel_tol=1e-5)
    assert epoch.train_acc == epoch.test_acc


def test_an_epoch_sees_each_image_once() -> None:
    trainer = Trainer(Job(tiny(rotation=0.0), CPU), stripes())
    trainer.feed.to(torch.device("cpu"))
    first, again, second = (trainer.feed.epoch(epoch)[0] for epoch in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert np.array_equal(np.sort(first.sum((1, 2))), np.sort(stripes().train.images.sum((1, 2))))


def test_progress_comes_at_its_pace_whatever_the_wall_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 86_400.0 * (-1) ** next(jumps))
    monkeypatch.setattr(clock, "REPORT_S", 0.05)  # many steps, but less than an epoch, on any machine
    trainer = Trainer(Job(tiny(epochs=2, batch_size=8), CPU), stripes(2000))
    begun = time.monotonic()
    progress = [event for event in trainer.run() if isinstance(event, StepProgress)]
    assert 1 <= len(progress) <= (time.monotonic() - begun) / 0.05
    for event in progress:
        assert 0 < event.images_per_s < 1e7 and 0 < event.step_ms < 60_000 and 0 <= event.train_acc <= 1
        assert event.step <= event.steps and event.elapsed_s < 600


def test_inspection_comes_from_the_last_evaluation() -> None:
    trainer, events = run(tiny(epochs=6), dataset=stripes(600, 120))
    found = trainer.inspection()
    last = [event for event in events if isinstance(event, EpochFinished)][-1]
    assert found is not None and found.epoch == 6
    assert found.confusion.sum() == 120
    assert np.trace(found.confusion) / 120 == last.test_acc
    assert ((found.confidences > 0) & (found.confidences <= 1)).all()
    assert found.first_layer is not None and found.first_layer.shape == (4, 3, 3)
    wrong = found.wrong()
    assert len(wrong) == 120 - np.trace(found.confusion)
    assert (np.diff(found.confidences[wrong]) <= 0).all()
    present = np.bincount(stripes(600, 120).test.labels, minlength=10) > 0
    assert np.array_equal(~np.isnan(found.class_accuracy), present)


def test_a_perceptrons_first_layer_is_pictures_too() -> None:
    trainer, _ = run(shortened("mlp", epochs=1))
    found = trainer.inspection()
    assert found is not None and found.first_layer is not None and found.first_layer.shape == (490, 28, 28)


# ------------------------------------------------------------------------------------ commands


def commanded(
    act: Callable[[RunControl, Event], None], preset: Preset | None = None
) -> tuple[Trainer, list[Event]]:
    """The lossless events of a run whose events are shown to `act`."""
    control, trainer, events = RunControl(), Trainer(Job(preset or tiny(), CPU), stripes()), []
    for event in trainer.run(control):
        events.append(event)
        act(control, event)
    return trainer, [event for event in events if not isinstance(event, StepProgress)]


def at_training(epoch: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Phase) and event.phase == "training" and event.epoch == epoch


def test_stop_now_stops_within_a_step() -> None:
    def act(control: RunControl, event: Event) -> None:
        if at_training(2)(event):
            control.stop("enough", source="keyboard")

    trainer, events = commanded(act)
    assert kinds(events) == ["RunStarted", "EpochFinished", "Control", "RunFinished"]
    stop = next(event for event in events if isinstance(event, Control))
    assert (stop.action, stop.epoch, stop.detail, stop.source) == ("stop", 1, "enough", "keyboard")
    assert (
        isinstance(events[-1], RunFinished)
        and events[-1].outcome == "stopped"
        and events[-1].message == "enough"
    )
    assert trainer.state().epoch == 1


def test_stop_after_the_epoch_finishes_it() -> None:
    trainer, control, events, taken = Trainer(Job(tiny(), CPU), stripes()), RunControl(), [], []

    def step(take: Callable[[], None]) -> None:
        taken.append(trainer.position.step)
        take()
        if len(taken) == 2:
            control.stop("enough", when="epoch")

    for event in trainer.run(control):
        events.append(event)
        if at_training(2)(event):
            trainer._stepper.step = functools.partial(step, trainer._stepper.step)
    assert kinds(events) == ["RunStarted", "EpochFinished", "EpochFinished", "Control", "RunFinished"]
    assert events[-1].outcome == "stopped" and trainer.state().epoch == 2 and taken == [0, 1, 2, 3, 4]


def test_pause_waits_without_burning_time_and_obeys_meanwhile() -> None:
    control, trainer = RunControl(), Trainer(Job(tiny(), CPU), stripes())
    seen: list[Event] = []
    paused = threading.Event()

    def consume() -> None:
        for event in trainer.run(control):
            seen.append(event)
            if isinstance(event, Phase) and event.phase == "paused":
                paused.set()

    control.pause("keyboard")
    thread = threading.Thread(target=consume)
    thread.start()
    assert paused.wait(30)
    before, cpu = len(seen), time.process_time()
    time.sleep(0.5)
    assert len(seen) == before and time.process_time() - cpu < 0.25
    control.checkpoint()
    control.set_lr(0.02)
    control.resume("keyboard")
    thread.join(60)
    actions = [event.action for event in seen if isinstance(event, Control)]
    assert actions == ["paused", "checkpoint", "learning_rate", "resumed"]
    epochs = [event for event in seen if isinstance(event, EpochFinished)]
    assert len(epochs) == 3 and epochs[0].train_s < epochs[0].elapsed_s - 0.5


def test_a_paused_run_can_be_stopped() -> None:
    control = RunControl()
    control.pause()
    control.stop("while paused")
    _, events = run(tiny(), control=control)
    assert [event.action for event in events if isinstance(event, Control)] == ["paused", "stop"]
    assert events[-1].outcome == "stopped"


def test_resuming_what_is_not_paused_and_pausing_twice_change_nothing() -> None:
    control = RunControl()
    for command in (control.resume, control.pause, control.pause, control.resume, control.resume):
        command()
    trainer, events = run(tiny(), control=control)
    assert [event.action for event in events if isinstance(event, Control)] == ["paused", "resumed"]
    assert trainer.state().sha256() == run(tiny())[0].state().sha256()


def test_the_learning_rate_follows_a_command_and_the_schedule_after_it() -> None:
    def act(control: RunControl, event: Event) -> None:
        if isinstance(event, EpochFinished) and event.epoch == 1:
            control.set_lr(0.02, "keyboard")

    preset = tiny(epochs=4, schedule={"name": "step", "step_size": 2, "gamma": 0.1})
    _, events = commanded(act, preset)
    rates = [event.lr for event in events if isinstance(event, EpochFinished)]
    assert rates == pytest.approx([0.05, 0.02, 0.002, 0.002])
    assert [event.value for event in events if isinstance(event, Control)] == [0.02]


def test_more_epochs_can_be_asked_for_even_after_the_last() -> None:
    def act(control: RunControl, event: Event) -> None:
        if isinstance(event, EpochFinished) and event.epoch == event.epochs == 3:
            control.add_epochs(2, "keyboard")

    trainer, events = commanded(act)
    assert [event.epoch for event in events if isinstance(event, EpochFinished)] == [1, 2, 3, 4, 5]
    extended = next(event for event in events if isinstance(event, Control))
    assert (extended.action, extended.value) == ("extended", 2)
    assert trainer.state().meta["epochs"] == 5 and events[-1].outcome == "completed"


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_learning_rate_is_refused_at_once(lr: float) -> None:
    with pytest.raises(UsageError):
        RunControl().set_lr(lr)


def test_commands_from_many_threads_all_arrive() -> None:
    control = RunControl()
    threads = [threading.Thread(target=lambda: [control.add_epochs(1) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _, events = run(tiny(epochs=1), control=_stopped_after(control, 400))
    assert sum(isinstance(event, Control) and event.action == "extended" for event in events) == 400


def _stopped_after(control: RunControl, count: int) -> RunControl:
    assert control.pending
    control.stop(f"after {count}")
    return control


# --------------------------------------------------------------------------- batches and devices


def few(count: int) -> Dataset:
    data = stripes()
    return Dataset(
        "mnist", Images(data.train.images[:count], data.train.labels[:count]), data.test, data.classes, ""
    )


FLAT_NORM = [{"flatten": True}, {"linear": 16, "then": ["relu", "batchnorm"]}, {"linear": 10}]


def test_a_single_image_left_over_for_batch_norm_is_dropped_with_a_notice() -> None:
    _, events = run(tiny(FLAT_NORM, batch_size=32), dataset=few(65))
    notices = [event.code for event in events if isinstance(event, Notice)]
    assert notices == ["single_image_dropped"]
    started = start_of(events)
    assert isinstance(started, RunStarted) and (started.train_images, started.steps_per_epoch) == (64, 2)
    assert events[-1].outcome == "completed"


def test_a_single_image_left_over_is_kept_where_it_does_no_harm() -> None:
    for layers in (TINY, [{"flatten": True}, {"linear": 10}]):
        _, events = run(tiny(layers, batch_size=32), dataset=few(65))
        assert start_of(events).train_images == 65 and not any(isinstance(event, Notice) for event in events)


def test_a_batch_of_one_with_such_a_norm_is_refused() -> None:
    with pytest.raises(PresetError, match="batch_size is 1"):
        Trainer(Job(tiny(FLAT_NORM, batch_size=1), CPU), few(65))


@pytest.mark.parametrize(("batch", "steps"), [(1, 40), (39, 2), (40, 1), (41, 1), (4096, 1)])
def test_any_batch_size_covers_the_epoch(batch: int, steps: int) -> None:
    _, events = run(tiny(batch_size=batch, epochs=1), dataset=few(40))
    assert start_of(events).steps_per_epoch == steps and events[-1].outcome == "completed"


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:17", "mps", "gpu", "cuda:-1", "", "cpu\x1b[2J"])
def test_a_device_that_is_not_there_is_one_sentence(name: str) -> None:
    if name in ("cuda", "cuda:0") and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    if name == "mps" and torch.backends.mps.is_available():
        pytest.skip("there is an Apple GPU")
    with pytest.raises(DeviceError) as caught:
        devices.pick(name)
    text = str(caught.value)
    assert text.startswith("--device") and text.endswith(".") and "\x1b" not in text and "\n" not in text


def test_auto_always_finds_a_device() -> None:
    assert devices.pick("auto").type in ("cpu", "cuda", "mps")
    assert devices.describe(torch.device("cpu"))


@pytest.mark.parametrize("bad", [{"precision": "fp8"}, {"compile": "maybe"}, {"threads": 0}])
def test_a_runtime_setting_that_is_none_is_refused(bad: dict) -> None:
    with pytest.raises(UsageError):
        Runtime(**bad)


def test_a_runtime_survives_json() -> None:
    runtime = Runtime(device="cpu", threads=2, profile=True)
    assert Runtime.from_dict(runtime.to_dict() | {"of another version": 1}) == runtime


def test_threads_are_put_back_after_a_run() -> None:
    before = torch.get_num_threads()
    run(tiny(epochs=1), runtime=Runtime(device="cpu", threads=before + 1, compile="off"))
    assert torch.get_num_threads() == before


def test_measuring_threads_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuitrain.training.machine.usable_cpus", lambda: 2)
    trainer, _ = run(tiny(), runtime=Runtime(device="cpu", compile="off"))
    threads = trainer.machine.threads
    assert threads in (1, 2)
    fixed, _ = run(tiny(), runtime=Runtime(device="cpu", compile="off", threads=threads))
    assert fixed.state().sha256() == trainer.state().sha256()


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_other_precisions_train(precision: str) -> None:
    runtime = Runtime(device="cpu", threads=1, compile="off", precision=precision)
    _, events = run(tiny(epochs=8, dropout=0.0), dataset=stripes(600, 100), runtime=runtime)
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    assert epochs[-1].train_loss < epochs[0].train_loss


@pytest.mark.slow
def test_a_run_leaves_no_memory_behind() -> None:
    process = psutil.Process()
    for _ in range(2):
        run(tiny(epochs=1))
    before, threads, descriptors = process.memory_info().rss, process.num_threads(), process.num_fds()
    for _ in range(12):
        run(tiny(epochs=1))
    assert process.memory_info().rss - before < 10 << 20
    assert (process.num_threads(), process.num_fds()) == (threads, descriptors)


def test_a_pause_after_an_epoch_waits_for_its_end_and_goes_on_to_the_same_bits() -> None:
    whole, _ = run(tiny())
    control = RunControl()
    control.pause("a test", after_epoch=1)
    control.pause(after_epoch=0)  # taken back
    control.pause("a test", after_epoch=2)
    trainer = Trainer(Job(tiny(), CPU), stripes())
    seen: list[Event] = []
    for event in trainer.run(control):
        seen.append(event)
        if isinstance(event, Control) and event.action == "paused":
            assert (event.epoch, event.step, event.source) == (2, 0, "a test")
            control.resume()
    names = [type(event).__name__ for event in seen if isinstance(event, Control | EpochFinished)]
    assert names == [
        *["Control"] * 3,
        "EpochFinished",
        "EpochFinished",
        "Control",
        "Control",
        "EpochFinished",
    ]
    told = [(e.action, e.value) for e in seen if isinstance(e, Control)]
    assert told[:3] == [("pause_after", 1), ("pause_after", 0), ("pause_after", 2)]
    assert trainer.state().sha256() == whole.state().sha256()


def test_tensors_taken_off_a_device_together_are_those_taken_one_by_one() -> None:
    tensors = {
        "weight": torch.arange(24.0).view(2, 3, 2, 2).to(memory_format=torch.channels_last),
        "count": torch.tensor(7),
        "bias": torch.arange(3.0),
        "step": torch.tensor(0.5),
    }
    together = state._taken_together(tensors)
    assert list(together) == list(tensors)
    for name, tensor in tensors.items():
        assert torch.equal(together[name], tensor) and together[name].dtype == tensor.dtype
