"""The trainer: its stream of events, what it says about a run, batches, devices, precisions."""

import math
import time

import numpy as np
import psutil
import pytest
import torch

from support.training_small import CPU, TINY, kinds, run, shortened, stripes, tiny
from tuitrain.data.dataset import Dataset, Images
from tuitrain.errors import DeviceError, PresetError, UsageError
from tuitrain.training import clock, devices, state
from tuitrain.training.events import (
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
