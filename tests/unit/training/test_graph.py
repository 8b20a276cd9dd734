"""The CUDA graph path. Where there is no GPU its step runs uncaptured, which must change nothing."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from support.training_small import run, stripes, tiny
from tuitrain.spec.preset import Preset
from tuitrain.training import graph, machine
from tuitrain.training.events import EpochFinished, Notice
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.trainer import Trainer

CPU = Runtime(device="cpu", threads=1, compile="off")


def uncaptured(
    body: Callable[[], None], warm_up: Callable[[], None], pool: Any
) -> tuple[Callable[[], None], Any]:
    """Warm-ups as for a capture, then the step itself as the replay."""
    for _ in range(graph.WARM_UPS):
        warm_up()
    return body, pool


@pytest.fixture
def as_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers on the CPU take the graph's stepper, uncaptured."""
    monkeypatch.setattr(graph, "capture", uncaptured)
    monkeypatch.setattr(
        machine,
        "make_stepper",
        lambda network, preset, device, runtime: graph.GraphStepper(
            network, preset.train, device, precision=runtime.precision, seed=preset.train.seed
        ),
    )


PRESETS: list[Preset] = [
    tiny(),
    tiny(batch_size=50, schedule={"name": "onecycle"}),
    tiny(optimizer={"name": "adam", "lr": 0.01}, label_smoothing=0.1, l1=1e-4),
    tiny(clip_norm=0.5, clip_value=0.1, warmup=1, schedule={"name": "cyclic", "epochs_up": 0.5}),
]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_captured_step_is_the_eager_step(preset: Preset, request: pytest.FixtureRequest) -> None:
    eager, _ = run(preset)
    request.getfixturevalue("as_graph")
    captured, events = run(preset)
    assert isinstance(captured.position.history[-1], EpochFinished) and events[-1].outcome == "completed"
    for name, tensor in eager.state().tensors().items():
        # Only the learning rate is rounded otherwise: it is a float32 tensor here.
        assert torch.allclose(captured.state().tensors()[name].float(), tensor.float(), atol=1e-5), name
    for one, other in zip(eager.position.history, captured.position.history, strict=True):
        assert math.isclose(one.test_loss, other.test_loss, rel_tol=1e-4)


def test_a_resumed_graph_run_is_the_same_to_the_bit(as_graph: None) -> None:
    preset = tiny()
    whole, _ = run(preset)
    trainer = Trainer(Job(preset, CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    assert run(preset, resume=trainer.state())[0].state().sha256() == whole.state().sha256()


def test_one_graph_a_batch_size(as_graph: None) -> None:
    trainer = Trainer(Job(tiny(epochs=1), CPU), stripes())  # 300 images: 4 batches of 64 and one of 44
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            assert sorted(trainer._stepper._graphs) == [44, 64]


# ------------------------------------------------------------------------------------ on a GPU


@pytest.mark.gpu
@pytest.mark.parametrize("preset", [*PRESETS, tiny(optimizer={"name": "rmsprop", "lr": 0.001})])
def test_graph_equals_eager_on_the_gpu(preset: Preset) -> None:
    captured, _ = run(preset, runtime=Runtime(device="cuda", compile="off", deterministic=True))
    eager, _ = run(preset, runtime=Runtime(device="cuda", compile="off", deterministic=True, graph=False))
    for name, tensor in eager.state().tensors().items():
        assert torch.allclose(captured.state().tensors()[name].float(), tensor.float(), atol=1e-3), name
    for one, other in zip(eager.position.history, captured.position.history, strict=True):
        assert math.isclose(one.test_loss, other.test_loss, rel_tol=1e-2)


@pytest.mark.gpu
@pytest.mark.parametrize("graphed", [True, False])
def test_resume_to_the_bit_on_the_gpu(graphed: bool) -> None:
    runtime = Runtime(device="cuda", compile="off", deterministic=True, graph=graphed)
    preset = tiny()
    whole, _ = run(preset, runtime=runtime)
    trainer = Trainer(Job(preset, runtime), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    assert run(preset, runtime=runtime, resume=trainer.state())[0].state().sha256() == whole.state().sha256()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_compiled_inside_the_graph_trains(precision: str) -> None:
    runtime = Runtime(device="cuda", compile="on", precision=precision)
    _, events = run(tiny(epochs=8, dropout=0.0), dataset=stripes(600, 100), runtime=runtime)
    assert not [event for event in events if isinstance(event, Notice)]
    epochs = [event for event in events if isinstance(event, EpochFinished)]
    assert epochs[-1].train_loss < epochs[0].train_loss


@pytest.mark.gpu
def test_memory_that_runs_out_on_the_gpu_is_given_back() -> None:
    runtime = Runtime(device="cuda", compile="off")
    wide = [{"conv": 256, "kernel": 3, "padding": 1, "then": ["relu", "batchnorm"]}] * 4
    preset = tiny([*wide, {"conv": 10, "kernel": 3}, {"global_avgpool": True}], batch_size=4096)
    data = stripes(8192, 100)
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        for _ in range(3):
            _, events = run(preset, dataset=data, runtime=runtime)
            assert events[-1].outcome == "out_of_memory" and "--batch-size 2048" in events[-1].message
            assert torch.cuda.memory_allocated() < 64 << 20
            assert run(tiny(epochs=1), runtime=runtime)[1][-1].outcome == "completed"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
