"""Fixtures that every room shares."""

import functools
import gc
import os
import signal
import tempfile
from pathlib import Path

import pytest
import typer.testing
from hypothesis import HealthCheck, settings

# How long an example takes is no question of right or wrong, and a busy machine would answer it differently.
settings.register_profile("tuitrain", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tuitrain")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """A folder with the genuine MNIST files; tests that need it are skipped where there is none."""
    folder = os.environ.get("TUITRAIN_DATA_DIR")
    if not folder or not any(Path(folder).rglob("train-images-idx3-ubyte*")):
        pytest.skip("needs genuine MNIST: set TUITRAIN_DATA_DIR to a folder with its files")
    return Path(folder)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m fast` the other folders aren't even imported."""
    others = collection_path.parent == Path(__file__).parent and collection_path.name != "unit"
    return True if config.option.markexpr == "fast" and collection_path.is_dir() and others else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m fast`: the tests in unit/ that take no whole command and no long training."""
    unit = Path(__file__).parent / "unit"
    for item in items:
        apart = {mark.name for mark in item.iter_markers()} & {"slow", "long", "gpu"}
        if unit in item.path.parents and not apart:
            item.add_marker(pytest.mark.fast)


# Workers and what they start are more than there are cores: threads of torch that wait for each other in turn then take
# most of the time. A run that is given threads has as many as it is given.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Typer builds all commands anew for each that a test gives, which takes longer than most commands.
typer.testing._get_command = functools.cache(typer.testing._get_command)

# No test cuts the power, and against anything less there is no need to wait for the disk.
os.fsync = lambda fd: None

# Where runs find each other, settings and presets: those of a test are not to meet the tester's own, nor those of
# another worker.
for name in ("STATE", "CONFIG"):
    os.environ[f"XDG_{name}_HOME"] = tempfile.mkdtemp(prefix=f"tuitrain-{name.lower()}-")

# A shell that starts the tests in the background, and nohup, leave signals ignored, and every process of a test
# would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported by now stays: looking through it again at each collection is most of what a tiny run costs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(
        20_000, 20, 20
    )  # with what apps leave in a worker, looking for garbage took a third of the time
