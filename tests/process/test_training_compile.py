"""torch.compile: when it is taken, that it changes no result, and that a run survives its failure."""

import math
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from support.training_small import CPU, WORDS, run, stripes, tiny
from tuitrain.spec.preset import override
from tuitrain.spec.preset_files import load_preset
from tuitrain.training import compiling, machine, profiling
from tuitrain.training.events import EpochFinished, Notice, Phase
from tuitrain.training.job import Job
from tuitrain.training.model import build
from tuitrain.training.runtime import Runtime
from tuitrain.training.step import Stepper
from tuitrain.training.trainer import Trainer

ON = Runtime(device="cpu", threads=1, compile="on")
needs_compiler = pytest.mark.skipif(
    compiling.missing(torch.device("cpu")) is not None, reason="needs a C++ compiler"
)


def stepper_for(name: str, images: int) -> Stepper:
    preset = load_preset(name)
    stepper = Stepper(build(preset), preset.train, torch.device("cpu"))
    stepper.begin_epoch(
        0, torch.zeros(images, 28, 28, dtype=torch.uint8), torch.zeros(images, dtype=torch.int64)
    )
    return stepper


@pytest.mark.parametrize(
    ("name", "images", "epochs", "mode", "wanted"),
    [
        ("step13", 60_000, 14, "auto", 1),
        ("step13", 60_000, 14, "off", None),
        ("step13", 1_000, 14, "auto", None),
        ("step13", 60_000, 1, "auto", None),
        ("mlp", 60_000, 18, "auto", None),
        ("mlp", 60_000, 1, "on", 0),
    ],
)
def test_auto_compiles_only_what_pays(
    name: str, images: int, epochs: int, mode: str, wanted: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper, table = stepper_for(name, images), load_preset(name).table()
    monkeypatch.setattr(compiling, "missing", lambda device: None)
    assert compiling.first_epoch(Runtime(compile=mode), stepper, table, epochs) == wanted
    monkeypatch.setattr(compiling, "missing", lambda device: "there is no compiler")
    assert compiling.first_epoch(Runtime(compile=mode), stepper, table, epochs) == (
        0 if mode == "on" else None
    )


@pytest.mark.parametrize(("epochs", "wanted"), [(14, None), (2000, 1)])
def test_auto_compiles_on_cuda_only_what_takes_minutes(
    epochs: int, wanted: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepper, table = stepper_for("step13", 60_000), load_preset("step13").table()
    stepper.device = torch.device("cuda")
    monkeypatch.setattr(compiling, "missing", lambda device: None)
    assert compiling.first_epoch(Runtime(), stepper, table, epochs) == wanted


def test_what_triton_lacks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cuda = torch.device("cuda")
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(compiling.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    monkeypatch.setenv("CC", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "C compiler" in str(compiling.missing(cuda))
    (tmp_path / "gcc").touch(0o755)
    assert "Python.h" in str(compiling.missing(cuda)) and "python3-dev" in compiling.remedy(cuda)
    (tmp_path / "Python.h").touch()
    assert compiling.missing(cuda) is None
    monkeypatch.setattr(compiling.importlib.util, "find_spec", lambda name: None)
    assert "triton" in str(compiling.missing(cuda))


def test_the_processes_that_compile_kernels_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    def children() -> set[psutil.Process]:
        return set(psutil.Process().children(recursive=True))

    before = children()

    def compiled(stepper: Stepper) -> Any:
        import torch._inductor.config
        from torch._inductor.async_compile import AsyncCompile

        torch._inductor.config.compile_threads = 2
        AsyncCompile.process_pool()  # as Triton's kernels are
        assert children() - before
        return stepper.logits

    monkeypatch.setattr(compiling, "missing", lambda device: None)
    monkeypatch.setattr(compiling, "_compiled", compiled)
    assert compiling.compile_network(stepper_for("mlp", 200)) is None
    assert not children() - before


def failing(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("C++ compile error\x1b[2J\nand two hundred lines more")


@pytest.mark.parametrize("why", ["none", "broken", "not importable"])
def test_a_compiler_that_fails_is_a_notice_and_the_run_goes_on(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why == "none":
        monkeypatch.setattr(compiling, "missing", lambda device: "there is no compiler")
    else:
        monkeypatch.setattr(compiling, "missing", lambda device: None)
        monkeypatch.setattr(torch, "compile", failing)
    if why == "not importable":
        monkeypatch.setitem(sys.modules, "torch._inductor.async_compile", None)
        monkeypatch.setattr(compiling, "_compiled", failing)
    trainer, events = run(tiny(), runtime=ON)
    notices = [event for event in events if isinstance(event, Notice)]
    assert [notice.code for notice in notices] == ["compile_failed"]
    assert "\x1b" not in notices[0].message and "--compile off" in notices[0].remedy
    assert trainer.machine.compiled_from is None
    assert trainer.state().model_sha256() == run(tiny())[0].state().model_sha256()


@pytest.mark.long
@pytest.mark.timeout(1200)
@needs_compiler
def test_compiled_equals_eager_and_resumes_to_the_bit() -> None:
    before = set(psutil.Process().children(recursive=True))
    preset, data = tiny(epochs=3, ema=0.9), stripes()
    eager, _ = run(preset)
    compiled, events = run(preset, runtime=ON)
    assert not [event for event in events if isinstance(event, Notice)]
    for name, tensor in eager.state().model.items():
        assert torch.allclose(compiled.state().model[name].float(), tensor.float(), atol=1e-3), name
    for one, other in zip(eager.position.history, compiled.position.history, strict=True):
        assert math.isclose(one.test_loss, other.test_loss, rel_tol=1e-2)
    trainer = Trainer(Job(preset, ON), data)
    for event in trainer.run():
        if isinstance(event, EpochFinished):
            break
    assert run(preset, runtime=ON, resume=trainer.state())[0].state().sha256() == compiled.state().sha256()
    assert set(psutil.Process().children(recursive=True)) <= before


ODD = {
    "odd maps": [
        {"conv": 6, "kernel": 4, "then": ["batchnorm", "relu", "dropout2d"]},
        {"maxpool": 2},
        {"conv": 7, "then": ["relu"]},
        {"maxpool": 2},
        {"conv": 10, "then": ["batchnorm"]},
        {"global_avgpool": True},
    ],
    "pooled before anything else": [
        {"conv": 8, "padding": 1},
        {"maxpool": 2},
        {"conv": 8, "then": ["gelu", "batchnorm", "dropout"]},
        {"maxpool": 3, "stride": 2},
        {"global_avgpool": True},
        {"linear": 10},
    ],
    "other norms": [
        {"conv": 8, "then": ["relu", {"groupnorm": 4}]},
        {"maxpool": 2},
        {"conv": 8, "then": ["instancenorm", "silu"]},
        {"conv": 8, "then": ["layernorm", "tanh", "dropout2d"]},
        {"maxpool": 2, "stride": 1},
        {"flatten": True},
        {"linear": 10},
    ],
    "words of small networks": WORDS,
}


@pytest.mark.long
@pytest.mark.timeout(1200)
@needs_compiler
@pytest.mark.parametrize("layers", ODD.values(), ids=ODD)
def test_compiled_steps_of_all_sorts_of_layers_are_the_eager_ones(layers: list[dict[str, Any]]) -> None:
    preset = override(load_preset("step13"), {"model.layers": layers, "train.batch_size": 32})
    images = torch.randint(
        0, 256, (96, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    found = []
    for compiled in (False, True):
        stepper = Stepper(build(preset), preset.train, torch.device("cpu"))
        stepper.begin_epoch(0, images, torch.arange(96) % 10)
        stepper.set_lr(0.01)
        assert not compiled or compiling.compile_network(stepper) is None
        for _ in range(3):
            stepper.step()
        found.append([p.detach() for p in stepper.parameters])
    for eager, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, eager, rtol=1e-4, atol=1e-5)


@pytest.mark.long
@pytest.mark.timeout(1200)
@needs_compiler
def test_compiling_after_the_first_epoch_is_kept_by_a_resumed_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PAYS_FROM_S", 0.0)
    auto, preset = Runtime(device="cpu", threads=1), tiny()
    whole, events = run(preset, runtime=auto)
    phases = [event.phase for event in events if isinstance(event, Phase)]
    assert phases[2:6] == ["training", "evaluating", "compiling", "training"]
    trainer = Trainer(Job(preset, auto), stripes())
    for event in trainer.run():
        if isinstance(event, EpochFinished) and event.epoch == 2:
            break
    assert run(preset, runtime=auto, resume=trainer.state())[0].state().sha256() == whole.state().sha256()


def test_a_profile_names_the_parts_of_a_step_and_changes_nothing() -> None:
    runtime = Runtime(device="cpu", threads=1, compile="off", profile=True)
    trainer, events = run(tiny(), runtime=runtime)
    rows = [event.message for event in events if isinstance(event, Notice) and event.code == "profile"]
    assert len({len(row) for row in rows}) == 1  # columns
    assert {row.split("  ")[0] for row in rows} == {*profiling.PARTS, "a step"}
    assert rows[-1].endswith("100 %")
    assert trainer.state().sha256() == run(tiny(), runtime=CPU)[0].state().sha256()


def test_a_profiles_shares_are_whole() -> None:
    parts = profiling.profile(stepper_for("step13", 256), steps=3)
    assert abs(sum(part.share for part in parts) - 1) < 1e-9
    assert {part.name for part in parts} == set(profiling.PARTS)
    assert all(part.ms >= 0 for part in parts)


def test_the_judging_batch_depends_on_the_network_alone() -> None:
    table = load_preset("step13").table()
    batch = machine.judging_batch(table, torch.device("cpu"))
    assert 16 <= batch <= 10_000 and batch == machine.judging_batch(table, torch.device("cpu"))
