"""Two processes, so that leaving is easy: a waiter that the shell knows, and the app that trains.

The app's process begins as a fork made before anything heavy is imported. While the screen is up the
waiter does nothing but pass on signals, stop with the app on Ctrl-Z, and mend the terminal if the app
is killed. To detach, the app gives the terminal back, leaves the terminal's session and tells the
waiter to go; the shell has its prompt, and training never noticed.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import termios
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from tuitrain.errors import ExitCode, UsageError
from tuitrain.runs.signals import exit_at_once
from tuitrain.tui.terminal.codes import DETACHED, RESTORE, RESTORED

if TYPE_CHECKING:
    from tuitrain.tui.terminal.job import TerminalApp

#: From SIGTERM to the end, at most 2 s: the app's own limit is shorter (see `process.TERM_S`).
KILL_AFTER_S = 1.7


def check_terminal(what: str, headless: str) -> None:
    """Refuse to open the app where nobody could see it or press a key.

    Args:
        what: it is that would open, in words.
        headless: the command that does the same without a screen.

    Raises:
        UsageError: with that command.
    """
    term = os.environ.get("TERM", "")
    if not os.isatty(1):
        missing = "stdout is no terminal"
    elif not os.isatty(0):
        missing = "stdin is no terminal"
    elif term in {"", "dumb", "unknown"}:
        missing = f"TERM is '{term}', which can't draw"
    else:
        return
    raise UsageError(f"{missing}: {what} needs one; without a screen, use `{headless}` (see `tuitrain -h`).")


def launch(make_app: Callable[[], TerminalApp]) -> int:
    """Fork; show the app that the child makes until it is left; the exit code of it all."""
    sys.stdout.flush()
    sys.stderr.flush()
    life_r, life_w = os.pipe()  # its end at the child reads EOF when the waiter dies
    word_r, word_w = os.pipe()
    waiter = _Waiter()
    pid = os.fork()
    if pid == 0:
        os.close(life_w)
        os.close(word_r)
        _child(make_app, life_r, word_w)
    os.close(life_r)
    os.close(word_w)
    return waiter.wait(pid, word_r)


def _child(make_app: Callable[[], TerminalApp], life: int, word: int) -> NoReturn:
    code = int(ExitCode.FAILED)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # until the app's loop takes them
    try:
        gc.disable()  # collecting while importing costs a tenth of the time to the first paint
        from tuitrain.tui.terminal.process import run_app

        code = run_app(make_app, life, word)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        exit_at_once(code)  # torch's own teardown takes long and can't be interrupted


class _Waiter:
    """The process that the shell waits for."""

    def __init__(self) -> None:
        self.attributes: list[Any] | None = None
        with contextlib.suppress(termios.error):
            self.attributes = termios.tcgetattr(0)

    def wait(self, pid: int, word: int) -> int:
        """Until the app ends, detaches, or has to be killed."""
        self.pid = pid
        self.signal_sent: int | None = None
        self.restored = False
        wake_r, wake_w = os.pipe()
        for fd in (wake_r, wake_w):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_w)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.signal(signal.SIGCONT, _nothing)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGTSTP, signal.SIGQUIT):
            signal.signal(number, self._pass_on)
        waiting: list[int] = [word, wake_r]
        while True:
            timeout = KILL_AFTER_S if self.signal_sent == signal.SIGTERM else None
            ready, _, _ = select.select(waiting, [], [], timeout)
            if word in ready:
                said = os.read(word, 1)
                if said == DETACHED:
                    return int(ExitCode.DONE)
                self.restored = self.restored or said == RESTORED
                if not said:
                    waiting.remove(word)
            if wake_r in ready:
                os.read(wake_r, 512)
            done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if done and os.WIFSTOPPED(status):
                self._stop_too()
            elif done:
                return self._ended(status)
            elif not ready and timeout is not None:
                os.kill(pid, signal.SIGKILL)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            if number in (signal.SIGTERM, signal.SIGHUP):
                self.signal_sent = number
                os.kill(self.pid, signal.SIGCONT)  # stopped or not, it must hear it

    def _stop_too(self) -> None:
        """The app was suspended: so are we, until the shell says go on."""
        os.kill(os.getpid(), signal.SIGSTOP)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def _ended(self, status: int) -> int:
        if not self.restored:
            self._mend()
        if os.WIFEXITED(status):
            return os.WEXITSTATUS(status)
        number = os.WTERMSIG(status)
        if self.signal_sent == signal.SIGTERM:
            return int(ExitCode.SIGTERM)
        if number == signal.SIGINT:  # Ctrl-C while the app was opened: later it is answered
            return int(ExitCode.SIGINT)
        print(
            f"tuitrain: the app was killed by signal {number}; what it trained goes on from its last checkpoint: "
            "tuitrain resume latest",
            file=sys.stderr,
        )
        return 128 + number

    def _mend(self) -> None:
        """Give the shell a terminal it can use."""
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.write(1, RESTORE.encode())
        if self.attributes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSANOW, self.attributes)


def _nothing(number: int, frame: FrameType | None) -> None:
    """A handler that only wakes the select."""
