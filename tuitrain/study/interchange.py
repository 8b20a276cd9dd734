"""Runs Parsl's interchange, which hands calls to workers: away from the terminal, and no longer than who started it.

By itself it would die of a Ctrl-C or a closed terminal, which a study outlives, and outlive a study that is killed.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import sys
import threading
import time

FOLLOW_S = 0.5


def main() -> None:
    """Runs it; the one argument is the process to follow."""
    parent = int(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.setsid()
    null = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(null, number)

    def follow() -> None:
        while os.getppid() == parent:
            time.sleep(FOLLOW_S)
        os._exit(0)

    threading.Thread(target=follow, daemon=True).start()
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
