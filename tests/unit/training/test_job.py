"""What a run is asked to do: the command that repeats it, and the way there and back through its first event."""

from __future__ import annotations

from typing import Any

from support.training_small import CPU, run, tiny
from tuitrain.spec.preset import differences, override
from tuitrain.spec.preset_files import load_preset
from tuitrain.training.events import RunStarted
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime

#: Everything as where nothing is set.
AUTO = Runtime()


def flags(runtime: Runtime, usual: Runtime = AUTO, **extra: Any) -> str:
    """What the command says beside preset, data set and seed."""
    preset = load_preset("step13")
    command = Job(preset, runtime).command_line(
        preset, "step13", usual, {f"--{k}": v for k, v in extra.items()}
    )
    rest = command.removeprefix("tuitrain run --preset step13 --dataset mnist --seed 0")
    assert rest != command
    return rest.strip()


def test_a_setting_is_named_unless_it_would_be_the_same_without_here_and_elsewhere() -> None:
    cpu, auto = Runtime(device="cpu"), Runtime()
    assert flags(auto) == ""
    assert flags(cpu) == flags(cpu, cpu) == "--device cpu"
    assert flags(auto, cpu) == "--device auto"  # without it, the settings here would say cpu
    assert flags(Runtime(threads=3), Runtime(threads=3)) == "--threads 3"
    assert flags(Runtime(deterministic=True, graph=False)) == "--deterministic --no-graph"
    assert flags(Runtime(precision="bf16", compile="off"), budget=None) == "--precision bf16 --compile off"
    assert flags(auto, budget=7000) == "--budget 7000"


def test_the_measured_threads_are_named_once_and_where_they_matter() -> None:
    preset = load_preset("step13")
    assert Job(preset).exact_command(2) == ""
    assert Job(preset, command="tuitrain run").exact_command(2) == "tuitrain run --threads 2"
    assert Job(preset, command="tuitrain run").exact_command(None) == "tuitrain run"
    assert Job(preset, command="tuitrain run --threads 3").exact_command(2) == "tuitrain run --threads 3"
    assert Job(preset, Runtime(deterministic=True), command="tuitrain run").exact_command(2) == "tuitrain run"


def test_the_first_event_tells_the_job() -> None:
    preset = override(tiny(epochs=1), {"train.seed": 3})
    started = run(preset)[1]
    first = next(event for event in started if isinstance(event, RunStarted))
    assert Job.of(first, preset) == Job(preset, Runtime.from_dict(first.runtime))
    assert Job.of(first, preset).runtime.device == CPU.device
    assert differences(preset, Job.of(first, preset).preset) == {}
