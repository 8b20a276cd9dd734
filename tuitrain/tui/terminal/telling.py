"""What a terminal is told beside its text: a title, a notification, links. No textual: the commands tell it too."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tuitrain.errors import visible
from tuitrain.tui.terminal.codes import BELL

if TYPE_CHECKING:
    from rich.text import Text

    from tuitrain.watch.manners import Message

#: Terminals that show a notification of either kind, and would show both.
_BOTH = re.compile(r"wezterm|ghostty|kitty|foot|konsole", re.IGNORECASE)
MOST = 200  # characters


def listens(fd: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a descriptor is a terminal that understands, or leaves out, what isn't text; not the Linux console."""
    try:
        terminal = os.isatty(fd)
    except OSError:
        return False
    return terminal and environment.get("TERM", "") not in ("", "dumb", "unknown", "linux")


def title(text: str) -> str:
    """Makes a text the title of the window, or of tmux's pane."""
    return f"\x1b]2;{_plain(text)}{BELL}"


def notification(message: Message, environment: Mapping[str, str] = os.environ) -> str:
    """The bell, and a notification: OSC 9 and OSC 777, through tmux to the terminal outside of it."""
    heading, body = _plain(message.title).replace(";", ","), _plain(message.body)
    codes = [f"\x1b]777;notify;{heading};{body}{BELL}", f"\x1b]9;{heading}: {body}{BELL}"]
    if _BOTH.search(f"{environment.get('TERM', '')} {environment.get('TERM_PROGRAM', '')}"):
        codes = codes[:1]
    if environment.get("TMUX"):
        codes = ["\x1bPtmux;" + code.replace("\x1b", "\x1b\x1b") + "\x1b\\" for code in codes]
    return BELL + "".join(codes)


def linked(path: Path, environment: Mapping[str, str] = os.environ) -> Text:
    """A path that leads to its file (OSC 8), where it is printed on a terminal that knows links."""
    from rich.text import Text

    text = visible(path)
    if environment.get("TERM") == "linux":
        return Text(text)
    where = quote(os.fsencode(path.absolute()))
    return Text(text, f"link file://{quote(socket.gethostname())}{where}")


def _plain(text: str) -> str:
    """Text that can't end the code that it stands in."""
    return visible(text)[:MOST]
