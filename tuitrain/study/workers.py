"""The local executor: some processes that each train one member at a time; one that dies is replaced."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import multiprocessing.context
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver
from typing import Any

from tuitrain.study.member import begin_worker


class Workers(Executor):
    """As many processes as members are trained at a time.

    Each has a pool of its own, so that a process that is killed takes no other with it: its call raises
    BrokenProcessPool, and the next call gets a new process. They are forked from a server that has torch already,
    unless each is to see one GPU only: that is told to a fresh process before it imports torch.
    """

    def __init__(self, count: int, devices: Sequence[str] = ()) -> None:
        self._context: multiprocessing.context.BaseContext
        if devices:
            self._context = multiprocessing.get_context("spawn")
        else:
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload(["tuitrain.study.preload"])
            # While the app shows its screen, what stands for stderr has no descriptor to give to the server.
            with contextlib.redirect_stderr(sys.__stderr__):
                forkserver.ensure_running()
        self._devices = list(itertools.islice(itertools.cycle(devices), count)) if devices else [""] * count
        self._pools: list[ProcessPoolExecutor] = []
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="member")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Calls it in one of the processes as soon as one is free."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def _call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pool: ProcessPoolExecutor | None = getattr(self._own, "pool", None)
        if pool is None:
            if not hasattr(self._own, "device"):
                self._own.device = self._devices.pop(0)
            pool = self._own.pool = ProcessPoolExecutor(
                1, self._context, initializer=begin_worker, initargs=(self._own.device,)
            )
            self._pools.append(pool)
        try:
            return pool.submit(fn, *args, **kwargs).result()
        except BrokenProcessPool:
            self._own.pool = None
            raise

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes, once their members have ended; those that have not begun can be cancelled."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for pool in self._pools:
            pool.shutdown(wait=wait, cancel_futures=cancel_futures)
