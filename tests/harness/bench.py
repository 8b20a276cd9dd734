"""Where a row is measured: a folder, a fork server, and the protections that are taken out this time."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import ROOT, TESTS, warm
from support.warm import Child

#: 418 parameters; everything that is random is switched on.
TINY = """
[train]
batch_size = 50
dropout = 0.1
rotation = 7.0
optimizer = { name = "sgd", lr = 0.05, momentum = 0.9 }

[model]
layers = [
  { conv = 4, stride = 2, then = ["relu", "batchnorm", "dropout2d"] },
  { conv = 10, stride = 2 },
  { global_avgpool = true },
]
"""
#: Leaves 300 of the 1,500 training digits, so that an epoch is six steps.
SLICE = (
    "--dataset",
    "digits",
    "--val-split",
    "1200",
    "--threads",
    "1",
    "--compile",
    "off",
    "--device",
    "cpu",
)


#: Settings of whoever runs the harness, and folders that a test of compiling in this process has named.
_NOT_OURS = ("TUITRAIN_", "XDG_", "NO_COLOR", "TMUX", "TORCHINDUCTOR_", "TRITON_")


class Task:
    """A function at work in a process of its own."""

    def __init__(self, child: Child, function: str, path: Path) -> None:
        self.child, self._function, self._path = child, function, path

    def result(self, timeout: float = 120.0) -> Any:
        """What it returned; `AssertionError` with its traceback where it raised."""
        code = self.child.wait(timeout)
        if not self._path.exists():
            raise AssertionError(f"{self._function} ended with {code}: {self.child.err[-2000:]}")
        answer = json.loads(self._path.read_text())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["value"]


class Bench:
    """A folder to work in, and ways to start tuitrain in it.

    `without` are the protections that every process of this measurement does without.
    """

    def __init__(self, folder: Path, without: Sequence[str] = (), seed: int = 0) -> None:
        self.folder, self.without = folder, tuple(without)
        self.random = random.Random(seed)
        self.runs = folder / "runs"
        self.preset = folder / "tiny.toml"
        folder.mkdir(parents=True, exist_ok=True)
        self.preset.write_text(TINY)
        self._count = 0

    @property
    def env(self) -> dict[str, str]:
        """An environment whose folders are all below ours, with no data."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_OURS)}
        return kept | {
            "XDG_CONFIG_HOME": str(self.folder / "config"), "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_STATE_HOME": str(self.folder / "state"), "XDG_DATA_HOME": str(self.folder / "data"),
            "TUITRAIN_RUNS_DIR": str(self.runs), "COLUMNS": "100", "PYTHONPATH": f"{TESTS}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def _streams(self) -> Path:
        self._count += 1
        folder = self.folder / f"streams-{self._count}"
        folder.mkdir()
        return folder

    def start(
        self,
        *argv: str,
        setup: Sequence[str] = (),
        closed: Sequence[int] = (),
        env: dict[str, str] | None = None,
        fds: Sequence[int] | None = None,
        terminal: bool = False,
        uid: int = 0,
    ) -> Child:
        """`tuitrain ARGV` in a process of its own; its output goes to files, or to `fds`."""
        return warm.start(
            *argv, env=self.env | (env or {}), cwd=self.folder, folder=self._streams(), fds=fds, terminal=terminal,
            setup=[*self.without, *setup], closed=list(closed), uid=uid,
        )  # fmt: skip

    def run(self, *argv: str, timeout: float = 120.0, **settings: Any) -> tuple[int, str, str]:
        """`tuitrain ARGV` to its end: exit code, stdout, stderr."""
        child = self.start(*argv, **settings)
        code = child.wait(timeout)
        return code, child.out, child.err

    def train(self, name: str, epochs: int, *more: str) -> list[str]:
        """The arguments of a tiny run."""
        return ["run", "-p", str(self.preset), *SLICE, "--epochs", str(epochs), "--name", name, *more]

    def begin(
        self,
        function: str,
        *argv: Any,
        setup: Sequence[str] = (),
        env: dict[str, str] | None = None,
        fds: Sequence[int] | None = None,
        terminal: bool = False,
    ) -> Task:
        """Call a function (`module:name`) of the harness in a process of its own."""
        folder = self._streams()
        result = folder / "result.json"
        child = warm.start(
            *argv, env=self.env | (env or {}), cwd=self.folder, folder=folder, fds=fds, terminal=terminal,
            setup=[*self.without, *setup], function=function, result=str(result),
        )  # fmt: skip
        return Task(child, function, result)

    def call(self, function: str, *argv: Any, timeout: float = 600.0, **settings: Any) -> Any:
        """What a function (`module:name`) of the harness returns, called in a process of its own."""
        return self.begin(function, *argv, **settings).result(timeout)
