"""The terminal: a driver that neither blocks on a stalled line nor spins on a dead one.

Textual's own writer makes the UI wait when the terminal doesn't read, and its input thread reads a
closed terminal as fast as it can. Here frames are dropped while the line stands still (and the
screen is painted whole when it moves again), and a terminal that is gone is reported once.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import termios
import threading
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tuitrain.tui.terminal.codes import KEEP_TITLE, OLD_TITLE, RESTORE
from tuitrain.tui.terminal.telling import listens

#: With more than this waiting, frames are dropped.
MAX_PENDING_BYTES = 64 * 1024
#: How long leaving waits for a terminal that doesn't read.
FLUSH_S = 0.7


class KeyParser(XTermParser):
    """Textual's parser, except that Alt with a digit is that and not the character it makes on a Mac."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        if len(sequence) == 2 and sequence[0] == "\x1b" and sequence[1] in "0123456789":
            return [events.Key(f"alt+{sequence[1]}", None)]
        return super()._sequence_to_key_events(sequence, alt)


class TerminalWriter(threading.Thread):
    """Writes to the terminal in a thread of its own; whoever writes to it never waits."""

    def __init__(self, fd: int, drained: Callable[[], None], dead: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="tuitrain-output")
        self._fd, self._drained, self._dead = fd, drained, dead
        self._condition = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._pending = 0
        self._dropped = False
        self._closing = False
        self.gone = False

    @property
    def stalled(self) -> bool:
        """Whether so much is waiting that painting more is of no use."""
        return self._pending > MAX_PENDING_BYTES

    def write(self, text: str, droppable: bool = False) -> None:
        """Put text in line; a droppable frame is dropped while the line stands still."""
        data = text.encode("utf-8", "replace")
        with self._condition:
            if self.gone:
                return
            if droppable and self.stalled:
                self._dropped = True
                return
            self._queue.append(data)
            self._pending += len(data)
            self._condition.notify_all()

    def drop(self) -> None:
        """Say that a frame was left out, so that the screen is painted whole later."""
        self._dropped = True

    def run(self) -> None:
        """Write until closed."""
        while True:
            with self._condition:
                while not self._queue:
                    if self._closing:
                        return
                    self._condition.wait()
                data = self._queue.popleft()
            try:
                self._send(data)
            except OSError:
                with self._condition:
                    self.gone = True
                    self._queue.clear()
                    self._pending = 0
                    self._condition.notify_all()
                self._dead()
                return
            with self._condition:
                repaint = self._dropped and not self._queue
                if repaint:
                    self._dropped = False
                self._condition.notify_all()
            if repaint:
                self._drained()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                sent = os.write(self._fd, view[:4096])
            except BlockingIOError:  # somebody else set the terminal non-blocking
                with selectors.DefaultSelector() as selector:
                    selector.register(self._fd, selectors.EVENT_WRITE)
                    selector.select(1.0)
                continue
            view = view[sent:]
            with self._condition:
                self._pending -= sent

    def stop(self, timeout: float = FLUSH_S) -> bool:
        """Write what is left, for so long; whether it all went out."""
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        self.join(timeout)
        return not self.is_alive()


class Owner(Protocol):
    """What the driver asks of the app."""

    terminal_fd: int

    def paint_whole(self) -> None:
        """Paint every cell again: frames were dropped."""

    def terminal_gone(self) -> None:
        """The terminal can't be read or written any more."""


class TuitrainDriver(LinuxDriver):
    """Textual's Linux driver on a writer that drops frames and a reader that knows an end."""

    def __init__(self, app: Any, *, debug: bool = False, mouse: bool = True, size: Any = None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._owner: Owner = app
        self.tty_fd: int = self._owner.terminal_fd
        self.fileno = 0
        self.input_tty = True
        self.suspended = True  # until start_application_mode
        self.gone = False
        self._writer: TerminalWriter | None = None

    @property
    def idle(self) -> bool:
        """Whether painting would reach nobody: suspended, gone, or the line stands still."""
        writer = self._writer
        if self.suspended or self.gone or writer is None or writer.gone:
            return True
        if writer.stalled:
            writer.drop()
            return True
        return False

    def write(self, data: str) -> None:
        """Send to the terminal, never dropped: modes and what Textual says to it."""
        if self._writer is not None:
            self._writer.write(data)

    def tell(self, data: str) -> None:
        """Send what isn't text to a terminal that listens to it."""
        if listens(self.tty_fd):
            self.write(data)

    def frame(self, data: str) -> None:
        """Send a frame; dropped while the terminal doesn't read."""
        if self._writer is not None:
            self._writer.write(data, droppable=True)

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own word: fd 1 is a log while the screen is up, and COLUMNS never changes."""
        with contextlib.suppress(OSError):
            width, height = os.get_terminal_size(self.tty_fd)
            if width and height:
                return width, height
        return 80, 24

    def start_application_mode(self) -> None:
        """Take the terminal."""
        loop = self._loop

        def ask(what: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to ask
                loop.call_soon_threadsafe(what)

        writer = TerminalWriter(
            self.tty_fd, lambda: ask(self._owner.paint_whole), lambda: ask(self._owner.terminal_gone)
        )
        self._writer = writer
        writer.start()
        self.suspended = False
        self.tell(KEEP_TITLE)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        inner, self._writer_thread = self._writer_thread, None
        if inner is not None:
            inner.stop()

    def disable_input(self) -> None:
        """Stop reading; nothing is flushed on a terminal that is gone."""
        if self.gone:
            self.exit_event.set()
            return
        super().disable_input()

    def stop_application_mode(self) -> None:
        """Give the terminal back."""
        if self.gone or self.suspended:
            return
        self.tell(OLD_TITLE)
        super().stop_application_mode()
        self.suspended = True

    def close(self) -> None:
        """Let the writer finish what it can."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.stop(0.0 if self.gone else FLUSH_S)

    def abandon(self) -> None:
        """The terminal is gone: read and write nothing more, and leave its descriptors."""
        if self.gone:
            return
        self.gone = True
        self.exit_event.set()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, self.tty_fd):
            os.dup2(null, fd)
        os.close(null)

    def emergency(self) -> None:
        """Give the terminal back without any thread's help, in the last moment."""
        with contextlib.suppress(OSError):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # else a background job would stop
            os.set_blocking(self.tty_fd, False)
            os.write(self.tty_fd, RESTORE.encode())
        with contextlib.suppress(OSError, termios.error, ValueError):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        self.stop_application_mode()
        self.close()

    def in_foreground(self) -> bool:
        """Whether the terminal listens to this job."""
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return False

    def run_input_thread(self) -> None:
        """Read keys until told to stop or the terminal is gone; the latter is said once."""
        selector = selectors.SelectSelector()
        selector.register(self.fileno, selectors.EVENT_READ)
        parser = KeyParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        try:
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    data = os.read(self.fileno, 4096)
                    if not data:
                        raise OSError("end of input")
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        except OSError:
            loop = self._loop
            if not self.exit_event.is_set() and loop is not None:
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._owner.terminal_gone)
        finally:
            selector.close()
