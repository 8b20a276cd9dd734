"""The app as a job on a terminal: what it paints, how it is suspended, how the terminal may be lost."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from rich.color import ColorSystem
from textual import events
from textual.app import App
from textual.screen import Screen

from tuitrain.tui.terminal import compositor, telling
from tuitrain.tui.terminal.driver import TuitrainDriver
from tuitrain.tui.terminal.painter import Painter

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual._compositor import CompositorUpdate
    from textual.binding import Binding
    from textual.driver import Driver

    from tuitrain.runs.queue import SessionManager
    from tuitrain.watch.manners import Message
    from tuitrain.workbench.settings import Settings

#: Without a key for so long, nobody is taken to look.
AWAY_S = 60.0

Leaving = Literal["quit", "detach", "stop", "hangup", "terminated"]


class Process(Protocol):
    """What the app asks of the process around it."""

    def attach(self, app: TerminalApp) -> None:
        """Take the signals, once the app's loop runs."""

    def hangup(self) -> None:
        """The terminal is gone: go on without a screen."""


class TerminalApp(App[Leaving]):
    """An app with our driver and painter, that its process can suspend, end, and take its terminal from."""

    manager: SessionManager
    settings: Settings
    shown_feed: Any
    demo: bool

    def __init__(self) -> None:
        compositor.install()
        super().__init__()
        self.child: Process | None = None
        self.terminal_fd = 1
        self._painter = Painter()
        self._resumed_at = 0.0
        self._title = ""
        self._touched = time.monotonic()  # when a key or the mouse was used last

    def on_mount(self) -> None:
        """Take the signals as soon as there is a loop to answer them."""
        if self.child is not None:
            self.child.attach(self)
            self.set_interval(0.5, self._watch_foreground)

    def action_leave(self) -> None:
        """What Ctrl-C means."""
        self.exit("quit")

    async def action_quit(self) -> None:
        """Textual's own way out asks too."""
        self.action_leave()

    def action_help_quit(self) -> None:
        """Textual's answer to Ctrl-C; ours asks."""
        self.action_leave()

    def set_filters(self) -> None:
        """What the terminal can't show is shown otherwise: without colour, in ASCII."""
        from tuitrain.tui.terminal.filters import AsciiFilter, PlainFilter

        if self.no_color:
            self._filters[:] = [PlainFilter(self)]
        if self.settings.ascii_only:
            self._filters.append(AsciiFilter())

    def get_key_display(self, binding: Binding) -> str:
        """A key as the footer and the help show it; by its name where there is only ASCII."""
        shown = super().get_key_display(binding)
        if not self.settings.ascii_only or shown.isascii():
            return shown
        return {"↑": "up", "↓": "down", "←": "left", "→": "right", "⏎": "enter"}.get(shown, binding.key)

    def get_driver_class(self) -> type[Driver]:
        """Ours on a terminal; Textual's headless one needs no asking."""
        return TuitrainDriver

    @property
    def terminal(self) -> TuitrainDriver | None:
        """Our driver; None before the start and under a pilot."""
        driver = self._driver
        return driver if isinstance(driver, TuitrainDriver) else None

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send only the cells that changed, and nothing where nobody reads."""
        driver = self.terminal
        if driver is None or renderable is None or self._batch_count or not self._running or self._closed:
            super()._display(screen, renderable)
            return
        if not driver.idle:
            system = self.console._color_system or ColorSystem.TRUECOLOR
            try:
                text = self._painter.update(cast("CompositorUpdate", renderable), system, *self.size)
            except Exception as error:
                self._handle_exception(error)
                return
            if text is None:
                super()._display(screen, renderable)
                return
            if text:
                if self._sync_available:
                    text = f"\x1b[?2026h{text}\x1b[?2026l"
                driver.frame(text)
        self.post_display_hook()

    def on_resize(self) -> None:
        """A terminal that changed its size may have moved anything."""
        self._painter.forget()

    def paint_whole(self) -> None:
        """Paint every cell again."""
        if self.terminal is None or not self._running:
            return
        self._painter.forget()
        screen = self.screen
        update = screen._compositor.render_update(full=True, screen_stack=self._background_screens)
        self._display(screen, update)

    def action_repaint(self) -> None:
        """Paint everything, for a terminal that lost something."""
        self.paint_whole()

    def suspend_now(self) -> None:
        """SIGTSTP: give the terminal back and stop, training too, until the shell says go on."""
        driver = self.terminal
        if driver is not None:
            driver.suspend_application_mode()
            os.kill(os.getpid(), signal.SIGSTOP)

    def continue_now(self) -> None:
        """SIGCONT: take the terminal again; in the background, or when it is being left, go on without it."""
        driver = self.terminal
        if driver is None or driver.gone or self._exit or not driver.in_foreground():
            return
        now = time.monotonic()
        if not driver.suspended:
            if now - self._resumed_at < 1.0:  # the shell and the waiter both say it
                return
            driver.suspend_application_mode()
        self._resumed_at = now
        self._title = ""
        driver.start_application_mode()
        self.paint_whole()

    def _watch_foreground(self) -> None:
        """After `bg`, `fg` sends no signal to a job that runs."""
        driver = self.terminal
        if driver is not None and driver.suspended and not driver.gone:
            self.continue_now()

    def terminal_gone(self) -> None:
        """The terminal can't be read or written any more."""
        if self.child is not None:
            self.child.hangup()

    # -- beside the screen ---------------------------------------------------------------------

    async def on_event(self, event: events.Event) -> None:
        """Whoever presses a key looks."""
        if isinstance(event, events.InputEvent):
            self._touched = time.monotonic()
        await super().on_event(event)

    @property
    def is_looked_at(self) -> bool:
        """Whether somebody seems to look: the terminal has the focus, and a key or the mouse was used of late."""
        return self.app_focus and time.monotonic() - self._touched < AWAY_S

    def retitle(self, text: str) -> None:
        """Gives the terminal another title."""
        if self.terminal is not None and text != self._title:
            self._title = text
            self.terminal.tell(telling.title(text))

    def tell(self, message: Message) -> None:
        """Has the terminal tell somebody who doesn't look."""
        if self.terminal is not None:
            self.terminal.tell(telling.notification(message))

    # -- leaving -------------------------------------------------------------------------------

    def abandon_terminal(self) -> None:
        """Touch the terminal no more."""
        if self.terminal is not None:
            self.terminal.abandon()

    def emergency(self) -> None:
        """Give the terminal back in the last moment, from whatever thread."""
        if self.terminal is not None and not self.terminal.suspended:
            self.terminal.emergency()

    def leave_now(self, how: Leaving, code: int) -> None:
        """Leave without asking, whatever is open."""
        self.exit(how, return_code=code)

    @property
    def failure(self) -> str:
        """What broke the screen, empty when nothing did."""
        error = self._exception
        return f"{type(error).__name__}: {error}" if error is not None else ""

    def _handle_exception(self, error: Exception) -> None:
        """Once the app is left its widgets go in any order, and some miss others: that is no failure any more."""
        if self._exit and not self.is_headless:
            traceback.print_exception(error, file=sys.__stderr__)
            self._close_messages_no_wait()
        else:
            super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """The traceback goes where fd 2 goes (a log); the terminal gets a sentence later."""
        if self.is_headless:
            super()._fatal_error()
            return
        traceback.print_exc(file=sys.__stderr__)
        self._close_messages_no_wait()

    def _print(self, text: str, stderr: bool = False) -> None:
        """What is printed while the screen is up goes where fd 2 goes: the run's log."""
        super()._print(text, stderr)
        if not self.is_headless:
            try:
                os.write(2, text.encode("utf-8", "replace"))
            except OSError:
                sys.exc_info()  # nowhere to say it
