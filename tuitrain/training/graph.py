"""The whole step as a CUDA graph: one launch a step, no input, and no wait for the host.

A graph replays fixed kernels on fixed addresses, so all that changes from step to step lies on the device: the
position in the epoch, the row of random bits, the learning rate, the running sums. What is captured is the very
`_body` that runs eagerly elsewhere; there is one graph for full batches and one for the short last batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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
#: While one run captures, the allocator may not free what another wants.
_capturing = threading.Lock()


class GraphStepper(Stepper):
    """A stepper whose steps and evaluations are CUDA graphs, captured when first needed."""

    def __init__(
        self, network: Network, train: Train, device: torch.device, *, precision: str = "fp32", seed: int = 0
    ) -> None:
        super().__init__(network, train, device, precision=precision, seed=seed, capturable=True)
        self._graphs: dict[int, Callable[[], None]] = {}
        self._gradients: dict[int, list[Tensor | None]] = {}  # of each graph, which writes them anew
        self._taken = 0  # images of the last step
        self._pool: Any = None
        self._judging: tuple[tuple[Any, ...], Callable[[], None], list[Tensor]] | None = None

    def use_compiled(self, compiled: Any) -> None:
        """Replaces the forward pass; the graphs have to be captured again."""
        super().use_compiled(compiled)
        self._graphs.clear()
        self._gradients.clear()

    def gradients(self) -> list[Tensor | None]:
        """Those that the last graph has written."""
        return self._gradients.get(self._taken, [None] * len(self.parameters))

    def _take(self, count: int) -> None:
        if count not in self._graphs:
            self._graphs[count] = self._captured(count)
        self._graphs[count]()
        self._taken = count

    def _captured(self, count: int) -> Callable[[], None]:
        def body() -> None:
            self._body(count)

        def at_start() -> None:
            self.seek(0, 0.0, 0)
            body()

        with self.rehearsal():
            replay, self._pool = capture(body, at_start, self._pool)
            # Kept, so that nothing else gets their memory between two replays.
            self._gradients[count] = [parameter.grad for parameter in self.parameters]
        return replay

    def _judge_all(self, images: Tensor, labels: Tensor, batch: int) -> list[Tensor]:
        # The judging set stays where it is during a run, so its addresses and the batch are the key.
        key = (images.data_ptr(), labels.data_ptr(), len(images), batch)
        if self._judging is None or self._judging[0] != key:
            out = super()._judge_all(images, labels, batch)

            def body() -> None:
                for kept, new in zip(
                    out, super(GraphStepper, self)._judge_all(images, labels, batch), strict=True
                ):
                    kept.copy_(new)

            replay, self._pool = capture(body, body, self._pool)
            self._judging = (key, replay, out)
        _, replay, out = self._judging
        replay()
        return out


def capture(
    body: Callable[[], None], warm_up: Callable[[], None], pool: Any
) -> tuple[Callable[[], None], Any]:
    """Captures what `body` launches.

    Args:
        body: launches kernels and neither waits nor reads from the device.
        warm_up: run before on the stream of the capture: libraries make their handles and choose their kernels.
        pool: memory that graphs share which never run at the same time; None for a new one.

    Returns:
        The replay, and the pool.
    """
    with _capturing:
        device = torch.cuda.current_device()
        if device not in _streams:
            _streams[device] = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream = _streams[device]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                warm_up()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # Only this thread's forbidden calls must break the capture: another run or a sensor may use CUDA as well.
        with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            body()
        return graph.replay, graph.pool()
