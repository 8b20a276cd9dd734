"""The child's side of an arm: it sets itself up, warms up, and then does as it is told, line by line.

What is measured runs in a process of its own that waits between the rounds, so arms can take turns without
paying for imports and compilers in each round. stdin brings `{"do": NAME, ...}`, and a descriptor that nothing
else prints to takes one JSON object for each.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Answer = dict[str, Any]


def setting() -> dict[str, Any]:
    """What the parent wants of this arm."""
    found: dict[str, Any] = json.loads(os.environ["BENCH_ARM"])
    return found


def peak_mib() -> float:
    """The most memory this process has held."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def rss_mib() -> float:
    """The memory this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Line:
    """The line to the parent."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)  # what libraries print goes to the log

    def say(self, answer: Mapping[str, Any]) -> None:
        """Sends an answer."""
        self._out.write(json.dumps(answer) + "\n")

    def commands(self) -> Any:
        """What the parent asks for, until it hangs up."""
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "quit":
                return
            yield command


def _die_with_parent() -> None:
    """A benchmark that is killed leaves no worker behind (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def own(run: Callable[[dict[str, Any], Line], None]) -> None:
    """Runs an arm that talks to the parent by itself, and ends the process as it may."""
    _die_with_parent()
    line = Line()
    try:
        run(setting(), line)
    except BaseException as error:
        with contextlib.suppress(OSError):
            line.say({"error": f"{type(error).__name__}: {error}"[:400]})
        traceback.print_exc()
        os._exit(1)
    sys.stderr.flush()
    os._exit(0)  # loaders' workers and Lightning's hooks take long to take down, and nothing is lost


def serve(
    begin: Callable[[dict[str, Any]], tuple[Answer, Mapping[str, Callable[[dict[str, Any]], Answer]]]],
) -> None:
    """Runs an arm: `begin` sets up and warms up and gives what to tell about that, and the commands."""

    def run(setting: dict[str, Any], line: Line) -> None:
        started = time.monotonic()
        told, actions = begin(setting)
        line.say({"ready": True, "setup_s": round(time.monotonic() - started, 2)} | told)
        for command in line.commands():
            line.say(actions[command["do"]](command))

    own(run)
