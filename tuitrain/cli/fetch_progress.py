"""How far a fetch is, on stderr: a Rich bar on a terminal, one line a file otherwise."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, TextIO

from tuitrain.errors import visible


class FetchProgress:
    """A `progress` for `load` and `fetch` that draws nothing until something is fetched.

    Use as a context manager; leaving it ends the bars.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stderr
        self.bars: Any = None
        self.tasks: dict[str, Any] = {}
        self.printed: set[tuple[str, bool]] = set()

    def __enter__(self) -> FetchProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars is not None:
            self.bars.stop()

    def __call__(self, what: str, done_bytes: int, total_bytes: int | None) -> None:
        """Take note of the state of one file."""
        if self.stream.isatty():
            self._draw(what, done_bytes, total_bytes)
        else:
            self._tell(what, done_bytes, total_bytes)

    def _draw(self, what: str, done_bytes: int, total_bytes: int | None) -> None:
        if self.bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

            self.bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=20),
                DownloadColumn(),
                TransferSpeedColumn(),
                console=Console(file=self.stream),
            )
            self.bars.start()
        if what not in self.tasks:
            self.tasks[what] = self.bars.add_task(visible(what), total=total_bytes)
        self.bars.update(self.tasks[what], completed=done_bytes, total=total_bytes)

    def _tell(self, what: str, done_bytes: int, total_bytes: int | None) -> None:
        finished = total_bytes is not None and done_bytes == total_bytes
        if (what, finished) in self.printed:
            return
        self.printed.add((what, finished))
        text = f"{what}: fetched {done_bytes:,} bytes" if finished else f"{what} …"
        if finished or done_bytes == 0:
            print(visible(text), file=self.stream, flush=True)
