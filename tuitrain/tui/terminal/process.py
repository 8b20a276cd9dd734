"""The app's process: from the first paint to the last checkpoint, with or without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tuitrain.errors import ExitCode, TuitrainError, visible
from tuitrain.paths import log_file
from tuitrain.runs.signals import exit_at_once
from tuitrain.tui.terminal.codes import DETACHED, RESTORED

if TYPE_CHECKING:
    from tuitrain.runs.queue_entry import QueueEntry
    from tuitrain.tui.terminal.job import TerminalApp

#: From SIGTERM until the process goes whatever its threads do; the interface promises 2 s, on a busy machine too.
TERM_S = 1.0
#: After a hangup the screen has so long to close before it is no longer waited for.
CLOSE_S = 10.0


def redirect_output(path: Path) -> None:
    """Point fds 1 and 2 at a log file, or at nothing where it can't be opened, or is a link to somewhere else."""
    from tuitrain.runs import durable

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        log = durable.open_append(path.parent.resolve() / path.name, durable.PRIVATE)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


class Child:
    """What the app's process knows beside the app: descriptors, signals, how it is to end.

    Signals are taken by plain handlers that stay when the app's loop is closed: what comes while the
    screen is being left must neither be lost nor kill a process that trains.
    """

    def __init__(self, life: int, word: int) -> None:
        self.life, self.word = life, word
        self.tty_fd = os.dup(1)
        redirect_output(log_file())
        self.app: TerminalApp | None = None
        self.terminated = 0.0
        self.hung_up = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._actions: dict[int, Callable[[], object]] = {}
        self._heard: set[int] = set()
        self._screen_over = False

    # -- signals -------------------------------------------------------------------------------

    def attach(self, app: TerminalApp) -> None:
        """Take the signals, once the app's loop runs."""
        self.app, self._loop = app, asyncio.get_running_loop()
        self._actions = {
            signal.SIGTERM: self.terminate,
            signal.SIGHUP: self.hangup,
            signal.SIGINT: app.action_leave,
            signal.SIGTSTP: app.suspend_now,
            signal.SIGCONT: app.continue_now,
        }
        for number in self._actions:
            signal.signal(number, self._hear)
        self._loop.add_reader(self.life, self.hangup)
        app.manager.on_session = self._log_of_run

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._screen_over:
            self._hear_headless(number)
            return
        self._heard.add(number)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed: `screen_is_over` looks at what was heard
                self._loop.call_soon_threadsafe(self._act, number)

    def _act(self, number: int) -> None:
        if number in self._heard:
            self._heard.discard(number)
            self._actions[number]()

    def screen_is_over(self) -> None:
        """The app's loop is closed; from now on signals are answered without it."""
        self._screen_over = True
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)
        if signal.SIGTERM in self._heard:
            self.terminate()

    def _hear_headless(self, number: int) -> None:
        if number == signal.SIGTERM:
            self.terminate()
        elif number == signal.SIGINT and self.app is not None and self.app.manager.closing:
            self.app.manager.abandon_all("left at once", "keyboard")
            exit_at_once(int(ExitCode.SIGINT))

    def _log_of_run(self, entry: QueueEntry) -> None:
        """From now on what is printed belongs to this run."""
        if entry.directory is not None:
            redirect_output(entry.directory.path / "output.txt")

    def terminate(self) -> None:
        """SIGTERM: stop, save, leave; in 2 s at the latest."""
        if self.terminated:
            return
        self.terminated = time.monotonic()
        threading.Thread(target=self._last_moment, name="tuitrain-last-moment", daemon=True).start()
        app = self.app
        if app is not None:
            app.manager.stop_all("SIGTERM", "signal")
            if not self._screen_over:
                app.leave_now("terminated", int(ExitCode.SIGTERM))

    def _last_moment(self) -> None:
        time.sleep(max(0.0, self.terminated + TERM_S - time.monotonic()))
        app = self.app
        if app is not None:
            app.manager.abandon_all("SIGTERM; saving took too long", "signal")
            if not self._screen_over:
                app.emergency()
        exit_at_once(int(ExitCode.SIGTERM))

    def _without_the_screen(self) -> None:
        """After a hangup nobody can see or end a screen that doesn't close: the process ends all the same."""
        time.sleep(CLOSE_S)
        if self._screen_over or self.app is None:
            return
        self.app.manager.join()
        exit_at_once(self.app.manager.exit_code())

    def hangup(self) -> None:
        """SIGHUP, a terminal that is gone, or a waiter that was killed: go on without a screen."""
        if self.hung_up or self.terminated:
            return
        self.hung_up = True
        threading.Thread(target=self._without_the_screen, name="tuitrain-hangup", daemon=True).start()
        if self._loop is not None:
            self._loop.remove_reader(self.life)
        app = self.app
        if app is not None:
            app.emergency()
            app.abandon_terminal()
            app.leave_now("hangup", 0)


def run_app(make_app: Callable[[], TerminalApp], life: int, word: int) -> int:
    """Show the app until it is left, then do what leaving asked for; the exit code."""
    child = Child(life, word)
    app = make_app()
    app.child = child
    app.terminal_fd = child.tty_fd
    how = app.run(mouse=app.settings.mouse)
    child.screen_is_over()
    with contextlib.suppress(OSError):
        os.write(word, RESTORED)
    failure = app.failure
    if how is None and failure:  # the screen broke: that is no reason to stop training
        how = "detach" if app.manager.busy() else "quit"
    return Ending(child, app).end(str(how or "quit"), failure)


class Ending:
    """What is left to do when the screen is gone."""

    def __init__(self, child: Child, app: TerminalApp) -> None:
        self.child, self.app, self.manager = child, app, app.manager

    def end(self, how: str, failure: str) -> int:
        """Stop, detach or quit; the exit code."""
        if self.child.terminated:
            return self._terminated()
        if how in {"detach", "hangup"} and self.manager.busy() and not self.app.demo:
            return self._headless(how, failure)
        if how == "hangup":
            self.manager.stop_all("the demo is over", "signal")
            self.manager.join(5.0)
            return int(ExitCode.DONE)
        if self.manager.busy():
            if not self.app.demo:
                self._say("stopping: saving a checkpoint ... (Ctrl-C: leave at once)")
            self.manager.stop_all("left the app", "keyboard")
            self.manager.join()
        if failure:
            log = visible(log_file())
            self._say(f"tuitrain: the screen failed: {visible(failure)}; the traceback is in {log}")
        if not self.app.demo:
            self._summary(detached=False)
        if self.child.terminated:
            return int(ExitCode.SIGTERM)
        return int(ExitCode.FAILED) if failure else int(self.app.return_code or 0)

    def _terminated(self) -> int:
        self.manager.join(10.0)  # the last moment comes earlier
        self._summary(detached=False)
        return int(ExitCode.SIGTERM)

    def _headless(self, how: str, failure: str) -> int:
        if how == "detach":
            if failure:
                self._say(f"tuitrain: the screen failed: {visible(failure)}; training goes on without it")
            self._summary(detached=True)
        self.manager.detached("keyboard" if how == "detach" else "signal")
        self._let_go()
        with contextlib.suppress(OSError):
            os.setsid()
        with contextlib.suppress(OSError):
            os.write(self.child.word, DETACHED)
        os.close(self.child.word)
        self.manager.join()
        return int(ExitCode.SIGTERM) if self.child.terminated else self.manager.exit_code()

    def _let_go(self) -> None:
        """Nothing of the terminal stays open here."""
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, self.child.tty_fd):
            os.dup2(null, fd)
        os.close(null)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.child.tty_fd, (text + "\n").encode("utf-8", "replace"))

    def _summary(self, *, detached: bool) -> None:
        from tuitrain.tui.terminal.summary import print_summary

        feed = self.app.shown_feed
        with contextlib.suppress(OSError, TuitrainError):
            print_summary(
                self.manager,
                self.child.tty_fd,
                detached=detached,
                ascii_only=self.app.settings.ascii_only,
                watched=feed.directory if feed is not None else None,
            )
