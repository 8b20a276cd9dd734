"""The whole step as a CUDA graph: one launch a step, no input, and no wait for the host.

A graph replays fixed kernels on fixed addresses, so all that changes from step to step lies on the device: the
position in the epoch, the row of random bits, the learning rate, the running sums. What is captured is the very
`_body` that runs eagerly elsewhere, with a full batch; the short last batch of an epoch, if there is one, is not
captured, as a capture takes as long as the eager steps of many epochs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from tuitrain.spec.train import Train
from tuitrain.training.model import Network
from tuitrain.training.step import Stepper

WARM_UPS = 3  # before a capture, as PyTorch's notes on CUDA graphs ask for
#: One stream of captures for each device: memory belongs to its stream, so graphs of several could share none,
#: and cuBLAS makes a workspace for each.
_streams: dict[int, torch.cuda.Stream] = {}
#: And one thread: cuDNN remembers for each thread which way to compute a convolution was the fastest, and while one run
#: captures, the allocator may not free what another wants. As with compilations, signals are for the run to answer.
_captures = ThreadPoolExecutor(
    1,
    "cuda-capture",
    initializer=lambda: signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
    ),
)


class GraphStepper(Stepper):
    """A stepper whose steps and evaluations are CUDA graphs, captured when first needed."""

    def __init__(
        self, network: Network, train: Train, device: torch.device, *, precision: str = "fp32", seed: int = 0
    ) -> None:
        super().__init__(network, train, device, precision=precision, seed=seed, capturable=True)
        self._replay: Callable[[], None] | None = None
        self._gradients: list[Tensor | None] = []  # of the graph, which writes them anew
        self._replayed = False  # the last step
        self._pool: Any = None
        self._judging: tuple[tuple[Any, ...], Callable[[], None], list[Tensor]] | None = None

    def use_compiled(self, compiled: Any) -> None:
        """Replaces the forward pass; the graphs have to be captured again."""
        super().use_compiled(compiled)
        self._replay, self._gradients = None, []

    def gradients(self) -> list[Tensor | None]:
        """Those that the graph has written, if the last step was one of its."""
        return self._gradients if self._replayed else super().gradients()

    def _take(self, count: int) -> None:
        self._replayed = count == self.batch
        if not self._replayed:
            super()._take(count)
            return
        if self._replay is None:
            self._replay = self._captured()
        self._replay()

    def _captured(self) -> Callable[[], None]:
        def body() -> None:
            self._body(self.batch)

        def at_start() -> None:
            self.seek(0, 0.0, 0)
            body()

        with self.rehearsal():
            replay, self._pool = capture(body, at_start, self._pool)
            # Kept, so that nothing else gets their memory between two replays.
            self._gradients = super().gradients()
        return replay

    def _judge_all(self, images: Tensor, labels: Tensor, batch: int) -> list[Tensor]:
        # The judging set stays where it is during a run, so its addresses and the batch are the key.
        key = (images.data_ptr(), labels.data_ptr(), len(images), batch)
        if self._judging is not None and self._judging[0] == key:
            self._judging[1]()
            return self._judging[2]
        out: list[Tensor] = []

        @torch.no_grad()
        def body() -> None:
            found = super(GraphStepper, self)._judge_all(images, labels, batch)
            if not out:
                out.extend(found)
            for kept, new in zip(out, found, strict=True):
                if kept is not new:
                    kept.copy_(new)

        # The warm-up is the first judging: what it found is where each replay puts what it finds.
        replay, self._pool = capture(body, body, self._pool, warm_ups=1)
        self._judging = (key, replay, out)
        return out


def capture(
    body: Callable[[], None], warm_up: Callable[[], None], pool: Any, warm_ups: int = WARM_UPS
) -> tuple[Callable[[], None], Any]:
    """Captures what `body` launches, in the thread that all captures are made in.

    Args:
        body: launches kernels and neither waits nor reads from the device.
        warm_up: run before on the stream of the capture: libraries make their handles and choose their kernels.
        pool: memory that graphs share which never run at the same time; None for a new one.
        warm_ups: how many times it is run.

    Returns:
        The replay, and the pool.
    """
    device, callers = torch.cuda.current_device(), torch.cuda.current_stream()

    def work() -> tuple[Callable[[], None], Any]:
        with torch.cuda.device(device):
            if device not in _streams:
                _streams[device] = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream = _streams[device]
            stream.wait_stream(callers)
            with torch.cuda.stream(stream):
                for _ in range(warm_ups):
                    warm_up()
            callers.wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # Only this thread's forbidden calls must break the capture: another run or a sensor may use CUDA as well.
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                body()
            return graph.replay, graph.pool()

    return _captures.submit(work).result()
