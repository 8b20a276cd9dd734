"""The whole step as a CUDA graph: one launch a step, no input, and no wait for the host.

A graph replays fixed kernels on fixed addresses, so all that changes from step to step lies on the device: images,
labels and dropouts of the next steps (`prepared.py`), and the learning rate. Forward pass, backward pass and update are
those that run eagerly elsewhere. The short last batch of an epoch, if there is one, is not captured: a capture takes as
long as the eager steps of many epochs.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tuitrain.spec.train import Train
from tuitrain.training.model import Network
from tuitrain.training.prepared import PreparedSteps
from tuitrain.training.step import Stepper

WARM_UPS = 3  # before a capture, as PyTorch's notes on CUDA graphs ask for
ROWS_OF_MANY = 16  # steps that are prepared at once, where many networks train together
#: One stream of captures for each device: memory belongs to its stream, so graphs of several could share none,
#: and cuBLAS makes a workspace for each.
_streams: dict[int, torch.cuda.Stream] = {}
#: Those beside it, for what may overlap within a capture.
_side_streams: dict[int, list[torch.cuda.Stream]] = {}
#: And one thread: cuDNN remembers for each thread which way to compute a convolution was the fastest, and while one run
#: captures, the allocator may not free what another wants. As with compilations, signals are for the run to answer.
_captures = ThreadPoolExecutor(
    1,
    "cuda-capture",
    initializer=lambda: signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
    ),
)


class Pool:
    """Memory that graphs share which never run at the same time; none before the first is captured."""

    handle: Any = None


class GraphStepper(Stepper):
    """A stepper whose steps of full batches and evaluations are CUDA graphs, captured when first needed.

    Args:
        pool: of steppers that train together, which share memory; whoever steps them bounds how far the host is ahead.

    Other arguments as of `Stepper`.
    """

    def __init__(
        self, network: Network, train: Train, device: torch.device, *, precision: str = "fp32", seed: int = 0,
        pool: Pool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(network, train, device, precision=precision, seed=seed, capturable=True)
        if pool is not None:
            self._ahead = None
        rows = self._rows if pool is None else min(self._rows, ROWS_OF_MANY)
        self._prepared = PreparedSteps(self.batch, network.bits_per_image * self.batch, rows, device)
        self._added = 0  # the step up to which the running sums go
        self._replay: Callable[[], None] | None = None
        self._gradients: list[Tensor | None] = []  # of the graph, which writes them anew
        self._replayed = False  # the last step
        self._pool = pool or Pool()
        self._judging: tuple[tuple[Any, ...], Callable[[], None], list[Tensor]] | None = None

    def use_compiled(self, compiled: Any) -> None:
        """Replaces the forward pass; the graphs have to be captured again."""
        super().use_compiled(compiled)
        self._replay, self._gradients = None, []

    def gradients(self) -> list[Tensor | None]:
        """Those that the graph has written, if the last step was one of its."""
        return self._gradients if self._replayed else super().gradients()

    def seek(self, step: int, loss_sum: float, correct: int) -> None:
        """Goes to a step of the epoch, with the running sums up to there."""
        super().seek(step, loss_sum, correct)
        self._prepared.empty()
        self._added = step

    def prepare(self) -> None:
        """Sees to it that what the next step needs, one of a full batch, is on the device."""
        now, ready = self._step, self._prepared
        if ready.begin <= now < ready.end:
            return
        self._sums()  # before the rows of the last steps are filled again
        self._draw()
        next_bits = (now // self._rows + 1) * self._rows
        end = min(now + ready.rows, next_bits, len(self._images) // self.batch)
        images = slice(now * self.batch, end * self.batch)
        factors = None
        if self._words:
            bits = self._bits[now % self._rows :][: end - now].view(torch.int16)
            factors = self.network.factors(bits, self.batch)  # type: ignore[operator]
        ready.fill(now, self._labels[images], self.pixels(self._images[images]), factors)

    def launch(self) -> None:
        """Forward pass, backward pass and update of a prepared step: what is captured."""
        with _uncounted(self.network):
            row = self._prepared.take()
            self._prepared.leave(row, *self._learn(self.batch, row.pixels, row.labels, row.factors))

    def warm_up(self) -> None:
        """A step with the first of the prepared ones."""
        self._prepared.row.zero_()
        self.launch()

    def keep_gradients(self) -> None:
        """Keeps those that a captured step writes, so that nothing else gets their memory between two replays."""
        self._gradients = super().gradients()

    def replayed(self) -> None:
        """A graph of several steppers has taken a step of this one."""
        self._step += 1
        self._replayed = True

    def _take(self, count: int) -> None:
        if count < self.batch:
            self._sums()
            super()._take(count)
            self._added, self._replayed = self._step + 1, False
            return
        self.prepare()
        if self._replay is None:
            with self.rehearsal():
                self._replay, self._pool.handle = capture(self.launch, self.warm_up, self._pool.handle)
                self.keep_gradients()
            self.prepare()
        self._replay()
        self._replayed = True

    def _sums(self) -> tuple[Tensor, Tensor]:
        """The running sums, brought up to date; batch norms' counts likewise."""
        steps = self._step - self._added
        if steps > 0:
            loss, correct = self._prepared.sums(self._added, self._step)
            self._loss_sum += loss
            self._correct += correct
            if counts := [module.num_batches_tracked for module in _counting(self.network)]:
                torch._foreach_add_(counts, steps)
            self._added = self._step
        return super()._sums()

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
        replay, self._pool.handle = capture(body, body, self._pool.handle, warm_ups=1)
        self._judging = (key, replay, out)
        return out


def _counting(network: nn.Module) -> list[Any]:
    """The modules that count batches."""
    return [m for m in network.modules() if getattr(m, "num_batches_tracked", None) is not None]


@contextmanager
def _uncounted(network: nn.Module) -> Iterator[None]:
    """Within it batch norms count no batches, each with a kernel of its own; they are told how many there were later."""
    counts = [(module, module.num_batches_tracked) for module in _counting(network)]
    for module, _ in counts:
        module.num_batches_tracked = None
    try:
        yield
    finally:
        for module, count in counts:
            module.num_batches_tracked = count


def side_by_side(strands: Sequence[Callable[[], None]], device: torch.device) -> None:
    """Runs each strand on a CUDA stream of its own, so that their kernels may overlap; elsewhere one after the other."""
    if device.type != "cuda" or len(strands) == 1:
        for strand in strands:
            strand()
        return
    index = torch.cuda.current_device()
    begun = torch.cuda.current_stream()
    streams = _side_streams.setdefault(index, [])
    while len(streams) < len(strands):
        streams.append(torch.cuda.Stream())  # type: ignore[no-untyped-call]
    for strand, stream in zip(strands, streams, strict=False):
        stream.wait_stream(begun)
        with torch.cuda.stream(stream):
            strand()
    for _, stream in zip(strands, streams, strict=False):
        begun.wait_stream(stream)


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
