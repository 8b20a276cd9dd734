"""How a plan is shared out on this machine: cores, one GPU, several."""

import importlib
from concurrent.futures import BrokenExecutor
from dataclasses import replace

import pytest

from support.groups_made import plan
from tuitrain import nvml
from tuitrain.study import local
from tuitrain.study.workers import Workers
from tuitrain.training.runtime import Runtime


class Card:
    """A card that is only counted."""


def with_cards(monkeypatch, names: list[str], device: str = "auto") -> Runtime:
    monkeypatch.setattr(nvml, "cards", lambda: [Card() for _ in names])
    monkeypatch.setattr(nvml, "device_names", lambda: names)
    return Runtime(device=device)


def made(runtime: Runtime, *labels: str, seeds: int = 16, **more):
    return replace(plan(*labels, seeds=tuple(range(seeds)), **more), runtime=runtime)


def test_several_gpus_have_a_process_each_and_share_the_seeds(monkeypatch) -> None:
    runtime = with_cards(monkeypatch, ["0", "1", "GPU-7f", "3"])
    one = local.local_for(made(runtime, "one"))
    assert (one.at_once, one.together, one.devices) == (4, 4, ("0", "1", "GPU-7f", "3"))
    nine = local.local_for(made(runtime, *map(str, range(9)), seeds=3))
    assert (nine.at_once, nine.together) == (4, 3)
    apart = local.local_for(made(runtime, "one"), together=False)
    assert (apart.at_once, apart.together) == (4, 1)
    few = local.local_for(made(runtime, "one"), jobs=6)
    assert (few.at_once, few.together) == (4, 2)
    two = local.local_for(made(runtime, "one", seeds=2))
    assert (two.at_once, two.together) == (2, 1)


@pytest.mark.parametrize("device", ["cuda:1", "auto"])
def test_one_gpu_has_all(monkeypatch, device: str) -> None:
    runtime = with_cards(monkeypatch, ["0", "1"] if device == "cuda:1" else ["0"], device)
    one = local.local_for(made(runtime, "one"))
    assert (one.at_once, one.together, one.devices) == (1, 16, ())


TORCH = "import os\nSEEN = os.environ.get('CUDA_VISIBLE_DEVICES')\n"  # at the moment of the import
PROBE = """
import os, signal, sys

def seen(die=False):
    assert "torch" in sys.modules
    if die:
        os.kill(os.getpid(), signal.SIGKILL)
    return sys.modules["torch"].SEEN
"""


@pytest.mark.slow
def test_each_worker_has_its_own_gpu_before_it_imports_torch_and_so_has_the_one_that_replaces_it(
    tmp_path, monkeypatch
) -> None:
    (tmp_path / "torch.py").write_text(TORCH)
    (tmp_path / "gpu_probe.py").write_text(PROBE)
    monkeypatch.syspath_prepend(tmp_path)
    seen = importlib.import_module("gpu_probe").seen
    workers = Workers(2, ["0", "GPU-7f"])
    try:
        assert sorted(future.result() for future in [workers.submit(seen) for _ in range(2)]) == [
            "0",
            "GPU-7f",
        ]
        with pytest.raises(BrokenExecutor):
            workers.submit(seen, True).result()
        assert {future.result() for future in [workers.submit(seen) for _ in range(4)]} == {"0", "GPU-7f"}
    finally:
        workers.shutdown()
