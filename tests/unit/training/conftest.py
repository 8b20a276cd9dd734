"""The CUDA graph path on the CPU: its steps run uncaptured, which must change nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from tuitrain.training import ensemble, graph, machine


@pytest.fixture
def as_graph(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Trainers on the CPU take the graph's stepper, uncaptured; the bodies that would have been captured."""
    bodies: list[Callable[[], None]] = []

    def uncaptured(
        body: Callable[[], None], warm_up: Callable[[], None], pool: Any, warm_ups: int = graph.WARM_UPS
    ) -> tuple[Callable[[], None], Any]:
        """Warm-ups as for a capture, then the step itself as the replay."""
        bodies.append(body)
        for _ in range(warm_ups):
            warm_up()
        return body, pool

    def make_stepper(
        network: Any, preset: Any, device: Any, runtime: Any, seed: int | None = None, pool: Any = None
    ) -> graph.GraphStepper:
        seed = preset.train.seed if seed is None else seed
        return graph.GraphStepper(
            network, preset.train, device, precision=runtime.precision, seed=seed, pool=pool
        )

    monkeypatch.setattr(graph, "capture", uncaptured)
    monkeypatch.setattr(ensemble, "capture", uncaptured)
    monkeypatch.setattr(machine, "make_stepper", make_stepper)
    return bodies
