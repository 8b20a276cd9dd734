"""What the processes and the terminal are told: the codes that give it back, and the words on the pipe."""

from __future__ import annotations

#: Puts the terminal's title on its stack, and takes it back from there.
KEEP_TITLE, OLD_TITLE = "\x1b[22;0t", "\x1b[23;0t"
BELL = "\a"
#: Ends everything that the app may have switched on: mouse, paste, focus and keyboard reports off, line wrap and
#: cursor on, the old title, normal screen.
RESTORE = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?1004l\x1b[?7h"
    f"\x1b[<u{OLD_TITLE}\x1b[?1049l\x1b[?25h\x1b[0m"
)
#: The app's process goes on without its terminal.
DETACHED = b"D"
#: The app has given the terminal back as it was; without this word the waiter does it.
RESTORED = b"R"
