"""Signals, closed terminals and closed streams, for whatever has no screen of its own.

SIGTERM stops, saves and exits with 143 within two seconds. The first Ctrl-C stops after saving, the
second at once, exit 130. SIGHUP and dead streams point descriptors 0 to 2 away, and the run goes on.
Imports nothing heavy: `main` calls `prepare_process` before anything else.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TextIO, cast

from tuitrain.errors import ExitCode, Signalled

if TYPE_CHECKING:
    from tuitrain.training.command import Steering

#: From SIGTERM until a stopped run has said so itself; then it is said for it, and the process ends. The other half of
#: the two seconds is for a machine on which every wait takes many times as long as it should.
DEADLINE_S = 1.0
_NOBODY_READS = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO}


class SessionLike(Protocol):
    """What signals stop: a session, or a study."""

    @property
    def running(self) -> bool:
        """Whether it is still at work."""

    @property
    def control(self) -> Steering:
        """Its steering."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; returns whether it has."""

    def detached(self, source: str) -> None:
        """Record that the terminal is gone and it goes on without it."""

    def abandon(self, message: str, source: str) -> bool:
        """Record that it stopped, if it does not do so in time."""


class Signals:
    """The signals that this process received, and the sessions that they concern."""

    def __init__(self) -> None:
        self.exit_code = 0
        self.sessions: list[SessionLike] = []
        self.prepared = False
        self.apart: TolerantStream | None = None  # our own way to stdout, once it is set apart
        self.last_words = (
            b"\x1b[?25h"  # for the terminal, before the process ends at once: its cursor, its title
        )
        self._leaving = threading.Lock()

    def install(self) -> None:
        """Handle SIGTERM, SIGINT and SIGHUP (unless the caller ignores it, as nohup does), in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGTERM, self._on_term)
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_interrupt)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._on_hangup)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def _on_term(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self.exit_code == ExitCode.SIGTERM:
            self.leave_now(ExitCode.SIGTERM, "SIGTERM")
        self.exit_code = ExitCode.SIGTERM
        timer = threading.Timer(DEADLINE_S, self.leave_now, (ExitCode.SIGTERM, "SIGTERM"))
        timer.daemon = True
        timer.start()
        self._stop_or_exit("SIGTERM")

    def _on_interrupt(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self.exit_code:
            self.leave_now(ExitCode.SIGINT, "Ctrl-C")
        if any(session.running for session in self.sessions):
            say("stopping after saving; Ctrl-C again stops at once")
        self.exit_code = ExitCode.SIGINT
        self._stop_or_exit("Ctrl-C")

    def _stop_or_exit(self, source: str) -> None:
        running = [session for session in self.sessions if session.running]
        for session in running:
            session.control.stop(source, when="now", source=source)
        if not running:
            raise Signalled(int(self.exit_code))

    def _on_hangup(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        point_away(terminals_only=True)
        for session in self.sessions:
            if session.running:
                # Not here: the handler may have interrupted the very code that holds the recorder.
                threading.Thread(target=session.detached, args=("SIGHUP",), daemon=True).start()

    def leave_now(self, code: int, source: str) -> None:
        """Record for every session that it was stopped, and end the process at once."""
        if not self._leaving.acquire(blocking=False):
            return
        try:
            for session in self.sessions:
                if session.running:
                    session.abandon("stopped at once", source)
            with contextlib.suppress(OSError):
                if os.isatty(2):
                    os.set_blocking(2, False)
                    os.write(2, self.last_words)
        finally:
            exit_at_once(code)


signals = Signals()


def prepare_process() -> Signals:
    """Repair closed descriptors, make the streams tolerant, handle the signals; once per process."""
    if not signals.prepared:
        signals.prepared = True
        repair_descriptors()
        sys.stdout = tolerant_stream(sys.stdout, 1)
        sys.stderr = tolerant_stream(sys.stderr, 2)
        signals.install()
    return signals


def data_stream() -> TextIO:
    """The stream of results: the real stdout."""
    return cast(TextIO, signals.apart or sys.stdout)


def set_stdout_apart() -> None:
    """From now on only `data_stream` writes to stdout; what a user's network prints goes to stderr.

    Descriptor 1 too, for what is not printed by Python.
    """
    if signals.apart is None:
        sys.stdout.flush()
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        kept = os.dup(1)
        os.dup2(2, 1)
        signals.apart = TolerantStream(os.fdopen(kept, "w", encoding=encoding, errors=errors), kept)
        sys.stdout = sys.stderr


@contextlib.contextmanager
def guarded(*sessions: SessionLike) -> Iterator[Signals]:
    """Inside this, signals stop these sessions; `exit_code` of the result says which one did (0: none)."""
    if not signals.prepared:
        signals.install()
    signals.sessions += sessions
    try:
        yield signals
    finally:
        for session in sessions:
            if session.running:  # left by an exception: a thread in torch must not outlive the interpreter
                session.control.stop("the command ended early", when="now", source="command")
                session.join(DEADLINE_S)
            signals.sessions.remove(session)


def lost_output() -> str | None:
    """Why the output on stdout was lost (a full disk); None if it was not, or if nobody reads it."""
    with contextlib.suppress(OSError, ValueError):
        data_stream().flush()
    return getattr(data_stream(), "lost", "") or None


def leave(code: int) -> NoReturn:
    """Exit, without finalising the interpreter if that would take long.

    So it would after a signal, to this process or to the app that it waited for, as torch is slow then; while a
    network is compiled for a run that has ended; and after a network of the user's, whose threads may never end.
    """
    signalled = signals.exit_code or code in (ExitCode.SIGINT, ExitCode.SIGTERM)
    if signalled and "concurrent.futures.process" in sys.modules:
        signalled = (
            "torch" in sys.modules
        )  # what gave orders to processes ends quickly, and tidies up their semaphores
    if _end_compilers() or signals.apart or signalled:
        for stream in (data_stream(), sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def exit_at_once(code: int) -> NoReturn:
    """End the process at once, with the compilers that it started."""
    _end_compilers()
    os._exit(code)


def _end_compilers() -> bool:
    """Ends compilers that still work for a finished run; returns whether there were any. Imports no torch."""
    compiling = sys.modules.get("tuitrain.training.compiling")
    return compiling is not None and bool(compiling.end_compilers())


def say(text: str) -> None:
    """Write one line on stderr from a signal handler, without buffers, and without waiting for a closed terminal."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())


def repair_descriptors() -> None:
    """Open the null device on each of the descriptors 0 to 2 that the caller closed.

    Otherwise the next file that is opened gets that number, and what is printed lands in it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            fd = os.open(os.devnull, os.O_RDWR)
            if fd != number:
                os.dup2(fd, number)
                os.close(fd)
            os.set_inheritable(number, True)


def point_away(*, terminals_only: bool = False) -> None:
    """Point descriptors 0 to 2 at the null device; `terminals_only` leaves files and pipes alone."""
    try:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    for number in (0, 1, 2):
        with contextlib.suppress(OSError):
            if not terminals_only or stat.S_ISCHR(os.fstat(number).st_mode):
                os.dup2(null, number)
    os.close(null)


class TolerantStream(io.TextIOBase):
    """A text stream whose reader may go away; then the output is dropped without an error."""

    def __init__(self, inner: TextIO, number: int) -> None:
        self._inner = inner
        self._number = number
        self.broken = False
        self.lost = ""  # why output was lost to something else than a reader that went away

    def _break(self, error: Exception) -> None:
        if isinstance(error, OSError) and error.errno not in _NOBODY_READS and not self.broken:
            self.lost = error.strerror or str(error)
        self.broken = True
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, self._number)
            os.close(null)
        with contextlib.suppress(OSError, ValueError):
            self._inner.flush()  # what the buffer still holds goes to the null device

    def write(self, text: str, /) -> int:
        """Write, or drop the text."""
        try:
            return self._inner.write(text)
        except UnicodeEncodeError:
            plain = text.encode(self.encoding or "ascii", "backslashreplace").decode(self.encoding or "ascii")
            return self.write(plain)
        except (OSError, ValueError) as error:
            self._break(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or do nothing."""
        try:
            self._inner.flush()
        except (OSError, ValueError) as error:
            self._break(error)

    def isatty(self) -> bool:
        """Whether it is a terminal that is still there."""
        try:
            return not self.broken and self._inner.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """The descriptor."""
        return self._inner.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the inner stream's."""
        return self._inner.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """As the inner stream's."""
        return self._inner.errors

    @property
    def buffer(self) -> Any:
        """The inner stream's bytes."""
        return self._inner.buffer

    def reconfigure(self, **settings: Any) -> None:
        """As the inner stream's."""
        cast(Any, self._inner).reconfigure(**settings)


def tolerant_stream(stream: TextIO | None, number: int) -> Any:
    """A tolerant stream around another; a closed stream is replaced by the null device."""
    if stream is None:
        stream = open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    return stream if isinstance(stream, TolerantStream) else TolerantStream(stream, number)
