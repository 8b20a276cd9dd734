"""The CUDA graph path. Where there is no GPU its step runs uncaptured, which must change nothing."""

import math
import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from support.training_small import TINY, metrics, run, stripes, tiny
from tuitrain.spec.preset import Preset
from tuitrain.training import graph, optimizer, prepared, step
from tuitrain.training.events import EpochFinished, Notice
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.training.trainer import Trainer

CPU = Runtime(device="cpu", threads=1, compile="off")


PRESETS: list[Preset] = [
    tiny(),
    tiny(batch_size=50, schedule={"name": "onecycle"}, ema=0.8),
    tiny(optimizer={"name": "adam", "lr": 0.01}, label_smoothing=0.1, l1=1e-4),
    tiny(clip_norm=0.5, clip_value=0.1, warmup=1, schedule={"name": "cyclic", "epochs_up": 0.5}),
]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_captured_step_is_the_eager_step_to_the_bit(
    preset: Preset, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The captured step's rate is a float32 tensor; on CUDA the eager one is rounded likewise.
    monkeypatch.setattr(optimizer, "rate_on", lambda device, lr: float(np.float32(lr)))
    eager, _ = run(preset)
    request.getfixturevalue("as_graph")
    captured, events = run(preset)
    assert isinstance(captured.position.history[-1], EpochFinished) and events[-1].outcome == "completed"
    assert captured.state().sha256() == eager.state().sha256()
    assert metrics(captured) == metrics(eager)
    norms = [[event.norms for event in trainer.position.history] for trainer in (eager, captured)]
    assert norms[0] == norms[1]


@pytest.mark.parametrize("rows", [1, 3])
def test_how_many_steps_are_prepared_at_once_changes_nothing(
    rows: int, as_graph: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = tiny(batch_size=50, layers=[*TINY[:2], {"conv": 10, "kernel": 3, "then": ["prelu"]}, *TINY[3:]])
    whole, _ = run(preset)
    seen: list[int] = []
    fill = prepared.PreparedSteps.fill
    an_image = 4 * (784 + 2 + 220)  # pixels, label, dropouts
    monkeypatch.setattr(prepared, "BYTES", int((rows + 0.9) * 50 * an_image))
    monkeypatch.setattr(
        prepared.PreparedSteps, "fill", lambda self, *args: seen.append(self.rows) or fill(self, *args)
    )
    assert run(preset)[0].state().sha256() == whole.state().sha256()
    assert set(seen) == {rows}


def test_a_resumed_graph_run_is_the_same_to_the_bit(as_graph: list[Any]) -> None:
    preset = tiny()
    whole, _ = run(preset)
    trainer = Trainer(Job(preset, CPU), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    assert run(preset, resume=trainer.state())[0].state().sha256() == whole.state().sha256()


def test_the_full_batch_and_judging_are_captured_once_and_the_first_judging_is_done_once(
    as_graph: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[int] = []
    judge = step.Stepper._judge
    monkeypatch.setattr(step.Stepper, "_judge", lambda self, *args: judged.append(1) or judge(self, *args))
    _, events = run(tiny(epochs=2))  # 300 images: 4 batches of 64 and one of 44; the judging set is one batch
    assert events[-1].outcome == "completed"
    assert len(as_graph) == 2 and len(judged) == 2


def test_all_captures_are_made_in_one_thread_which_hands_on_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream:
        def wait_stream(self, other: Any) -> None: ...

    class Graph:
        replay = pool = staticmethod(lambda: None)

    monkeypatch.setattr(graph, "_streams", {})
    for name, value in {
        "current_device": lambda: 0, "current_stream": Stream, "Stream": Stream, "CUDAGraph": Graph,
        "device": nullcontext, "stream": nullcontext, "graph": lambda *_, **__: nullcontext(),
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    seen: list[str] = []

    def note() -> None:
        seen.append(threading.current_thread().name)

    for _ in range(2):
        thread = threading.Thread(target=lambda: graph.capture(note, note, None))
        thread.start()
        thread.join()
    assert len(seen) == 2 * (graph.WARM_UPS + 1) and len(set(seen)) == 1 and "capture" in seen[0]

    def failing() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        graph.capture(failing, note, None)


# ------------------------------------------------------------------------------------ on a GPU


@pytest.mark.gpu
@pytest.mark.parametrize("preset", [*PRESETS, tiny(optimizer={"name": "rmsprop", "lr": 0.001})])
def test_graph_equals_eager_on_the_gpu(preset: Preset) -> None:
    captured, _ = run(preset, runtime=Runtime(device="cuda", compile="off", deterministic=True))
    eager, _ = run(preset, runtime=Runtime(device="cuda", compile="off", deterministic=True, graph=False))
    # torch's RMSprop has other operations where it is captured; the others have the same.
    most = 1e-3 if preset.train.optimizer.name == "rmsprop" else 0.0
    for name, tensor in eager.state().tensors().items():
        assert torch.allclose(captured.state().tensors()[name].float(), tensor.float(), rtol=0, atol=most), (
            name
        )
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
