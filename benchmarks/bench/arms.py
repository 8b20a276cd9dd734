"""The parent's side of the arms: starts them one by one, then lets them take turns."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.machine import ROOT
from bench.talk import say


class ArmError(Exception):
    """An arm that could not be measured; the others go on."""


@dataclass(frozen=True)
class Arm:
    """One thing to measure.

    Attributes:
        name: within its section.
        what: it is, in words, with its settings.
        module: of `bench` that serves it.
        setting: for the module.
        python: its interpreter; ours where left out.
        env: environment of its own.
    """

    name: str
    what: str
    module: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    python: str = sys.executable
    env: Mapping[str, str] = field(default_factory=dict)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of what is measured: ours, without settings of tuitrain's."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("TUITRAIN_") or k == "TUITRAIN_DATA_DIR"}
    # What is there stays: packages may have been brought that way, to a machine without a network.
    paths = [str(ROOT), str(ROOT / "benchmarks"), *filter(None, [os.environ.get("PYTHONPATH")])]
    keep["PYTHONPATH"] = os.pathsep.join(paths)
    keep["PYTHONWARNINGS"] = "ignore"
    return keep | dict(extra or {})


class Worker:
    """A running arm."""

    def __init__(self, arm: Arm, limit_s: float) -> None:
        self.arm = arm
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        env = environment(arm.env) | {"BENCH_ARM": json.dumps(dict(arm.setting))}
        self._process = subprocess.Popen(
            [arm.python, "-m", f"bench.{arm.module}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=env, start_new_session=True,
        )  # fmt: skip
        self._rest = b""
        try:
            self.told = self._answer(limit_s)
        except BaseException:
            self.close()
            raise

    def ask(self, what: str, limit_s: float, **more: Any) -> dict[str, Any]:
        """Has something done; its answer.

        Raises:
            ArmError: it failed, or took longer than `limit_s`.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps({"do": what} | more).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise ArmError(f"died; {self._last_words()}") from None
        return self._answer(limit_s)

    def _answer(self, limit_s: float) -> dict[str, Any]:
        assert self._process.stdout
        end = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise ArmError(f"gave no answer in {limit_s:.0f} s")
                data = os.read(self._process.stdout.fileno(), 1 << 16)
                if not data:
                    raise ArmError(f"died; {self._last_words()}")
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ArmError(answer["error"])
        return answer

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else "without a word"

    def close(self) -> None:
        """Ends it with everything that it started."""
        with contextlib.suppress(OSError):
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session: loaders' workers go with it
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._log.close()


class Crew:
    """The workers of a section: started one after the other, closed together."""

    def __init__(self, arms: Sequence[Arm], limit_s: float) -> None:
        self.workers: dict[str, Worker] = {}
        self.failed: dict[str, str] = {}
        self.took: dict[str, float] = {}
        for arm in arms:
            begun = time.monotonic()
            try:
                self.workers[arm.name] = Worker(arm, limit_s)
                say(f"  {arm.name}: ready after {time.monotonic() - begun:.1f} s")
            except ArmError as error:
                self.fail(arm.name, str(error))
            self.took[arm.name] = time.monotonic() - begun

    def ask(self, name: str, what: str, limit_s: float, **more: Any) -> dict[str, Any] | None:
        """Has an arm do something; None once it has failed."""
        worker = self.workers.get(name)
        if worker is None:
            return None
        begun = time.monotonic()
        try:
            return worker.ask(what, limit_s, **more)
        except ArmError as error:
            self.fail(name, str(error))
            return None
        finally:
            self.took[name] = self.took.get(name, 0.0) + time.monotonic() - begun

    def fail(self, name: str, why: str) -> None:
        """Gives an arm up."""
        self.failed[name] = why
        say(f"  {name}: failed: {why}")
        worker = self.workers.pop(name, None)
        if worker is not None:
            worker.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.close()
