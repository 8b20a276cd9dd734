"""Runs Parsl's pool of workers, in a pilot job: on CPUs they are forked from a server that has torch already.

By itself each would import torch anew, which takes seconds, also in the place of one that died. Workers that see one
GPU each do so, as torch is to be imported after it is said which.
"""

from __future__ import annotations

import multiprocessing
import runpy
import sys


def main() -> None:
    """Runs it with the arguments of this process."""
    import parsl.multiprocessing

    if sys.argv[-1] == "--available-accelerators":  # none is named
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tuitrain.study.preload"])
        parsl.multiprocessing.SpawnContext = context
    runpy.run_module(
        "parsl.executors.high_throughput.process_worker_pool", run_name="__main__", alter_sys=True
    )


if __name__ == "__main__":
    main()
