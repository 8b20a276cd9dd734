"""What is run on fake CUDA tensors: whole trainings of every preset, precision, optimizer, schedule and augmentation."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from support.fake_cuda import faults, lint, tensors
from support.training_small import WORDS, stripes, tiny
from tuitrain.spec.preset import Preset, override
from tuitrain.spec.preset_files import list_presets, load_preset
from tuitrain.spec.train import OPTIMIZERS, SCHEDULES
from tuitrain.training.runtime import Runtime

IMAGES = (300, 100)  # a full batch, a short one, and a judging set
_SCHEDULES: dict[str, dict[str, Any]] = {"multistep": {"milestones": [1]}}
_TRAININGS: dict[str, dict[str, Any]] = {
    "no augmentation": {"rotation": 0.0},
    "every augmentation": {"shift": 2.0, "zoom": 0.1, "shear": 5.0, "erase": 0.5},
    "probabilities, crop, jitter, ranges": {
        "rotation": [-7.0, 3.0],
        "shift": 2.0,
        "zoom": 0.1,
        "crop": 22,
        "brightness": 0.2,
        "contrast": 0.2,
        "fill": 128,
        "augment_p": {"rotation": 0.5, "crop": 0.1},
    },
    "clipping": {"clip_norm": 1.0, "clip_value": 0.1},
    "warm-up": {"warmup": 2},
    "label smoothing, l1": {"label_smoothing": 0.1, "l1": 1e-4},
    "nesterov, decay": {
        "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
    },
    "words, averaged": {"layers": WORDS, "ema": 0.99},
    "rmsprop, momentum": {"optimizer": {"name": "rmsprop", "lr": 0.01, "momentum": 0.9}},
}


def _runtime(**settings: Any) -> Runtime:
    return Runtime(device="cuda", compile="off", **settings)


def _step13(**train: Any) -> Preset:
    return override(load_preset("step13"), {"train.epochs": 3} | {f"train.{k}": v for k, v in train.items()})


def _train(preset: Preset, runtime: Runtime) -> None:
    from tuitrain.training.job import Job
    from tuitrain.training.trainer import Trainer

    trainer = Trainer(Job(preset, runtime), stripes(*IMAGES))
    ends = [event for event in trainer.run() if type(event).__name__ == "RunFinished"]
    outcomes = [event.outcome for event in ends]  # type: ignore[union-attr]
    if outcomes != ["completed"]:
        raise AssertionError(f"the run ended {outcomes}: {[getattr(e, 'message', '') for e in ends]}")


def _seeds(preset: Preset, runtime: Runtime, count: int = 3) -> None:
    from tuitrain.training.ensemble import Ensemble

    epochs = list(Ensemble(preset, stripes(*IMAGES), range(count), runtime).run())
    if len(epochs) != preset.train.epochs:
        raise AssertionError(f"{len(epochs)} epochs of {preset.train.epochs}")


@cache
def _sections() -> dict[str, Callable[[], None]]:
    out: dict[str, Callable[[], None]] = {}
    for precision in ("fp32", "tf32", "bf16"):
        for deterministic in (False, True):
            name = f"step13 {precision}{' deterministic' if deterministic else ''}"
            runtime = _runtime(precision=precision, deterministic=deterministic)
            out[name] = lambda runtime=runtime: _train(_step13(), runtime)
    out["step13 without a graph"] = lambda: _train(_step13(), _runtime(graph=False))
    for name in OPTIMIZERS:
        preset = tiny(optimizer={"name": name, "lr": 0.01})
        out[f"tiny {name}"] = lambda preset=preset: _train(preset, _runtime())
    for name in SCHEDULES:
        preset = tiny(schedule={"name": name} | _SCHEDULES.get(name, {}))
        out[f"tiny {name}"] = lambda preset=preset: _train(preset, _runtime())
    for name, more in _TRAININGS.items():
        out[f"tiny {name}"] = lambda more=more: _train(tiny(**more), _runtime())
    for entry in list_presets():
        if entry.builtin:
            name = entry.name
            out[f"preset {name}"] = lambda name=name: _train(
                override(load_preset(name), {"train.epochs": 2}), _runtime()
            )
    for precision in ("fp32", "bf16"):
        runtime = _runtime(precision=precision)
        out[f"seeds tiny {precision}"] = lambda runtime=runtime: _seeds(tiny(), runtime)
        out[f"seeds step13 {precision}"] = lambda runtime=runtime: _seeds(_step13(), runtime)
    out["seeds tiny adam, label smoothing, l1"] = lambda: _seeds(
        tiny(optimizer={"name": "adam", "lr": 0.01}, label_smoothing=0.1, l1=1e-4), _runtime()
    )
    for precision in ("tf32", "bf16"):
        runtime = _runtime(precision=precision)
        out[f"words {precision}"] = lambda runtime=runtime: _train(tiny(WORDS), runtime)
        out[f"seeds words {precision}"] = lambda runtime=runtime: _seeds(tiny(WORDS, ema=0.99), runtime)
    out["seeds tiny without a graph"] = lambda: _seeds(tiny(), _runtime(graph=False))
    # For the budgets: the batch that the figures are stated for.
    out["budget step13 64"] = lambda: _train(_step13(batch_size=64, epochs=1), _runtime())
    out["budget step13 64 averaged"] = lambda: _train(_step13(batch_size=64, epochs=1, ema=0.99), _runtime())
    out["budget words 64"] = lambda: _train(tiny(WORDS, epochs=1), _runtime())
    out["budget step13 128"] = lambda: _train(_step13(batch_size=128, epochs=1), _runtime())
    out["budget 32 seeds 128"] = lambda: _seeds(_step13(batch_size=128, epochs=1), _runtime(), 32)
    return out


def names() -> list[str]:
    """The sections, in order."""
    return list(_sections())


def run(name: str, teeth: str | None = None) -> dict[str, Any]:
    """Runs a section: its error (empty without one), faults, and the captures in the order they were made."""
    from tuitrain.training import ensemble, graph

    seen = lint.Lint()
    tensors.install(lambda what: seen.fault("wait", what))
    graph.capture = seen.capture  # type: ignore[assignment]
    ensemble.capture = seen.capture  # type: ignore[assignment]
    if teeth:
        faults.FAULTS[teeth][1]()
    error = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the address of a fake tensor is only compared
        try:
            with tensors.fake(seen):
                _sections()[name]()
        except Exception as caught:
            traceback.print_exc()
            error = f"{type(caught).__name__}: {caught}"
    return {
        "error": error,
        "tuned": sorted(seen.tuned),
        "faults": [
            {"kind": f.kind, "what": f.what, "where": f.where, "times": n} for f, n in seen.faults.items()
        ],
        "captures": [
            {
                "operators": c.operators.total(),
                "bytes": c.bytes_moved,
                "by_name": dict(c.operators.most_common()),
            }
            for c in seen.captures
        ],
    }
