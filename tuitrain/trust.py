"""What lies in the current folder and would be obeyed: only what nobody else can have written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tuitrain import paths
from tuitrain.errors import visible

_refused: dict[str, str] = {}


def obeyed(path: Path) -> bool:
    """Whether a settings file or presets of the current folder may be obeyed; says once on stderr why one is not."""
    try:
        infos = (path.lstat(), path.stat())
    except OSError:
        return True  # there is none, or whoever reads it says why it can't be
    if not all(paths.is_mine_or_roots(info) for info in infos):
        why = "belongs to another user and is ignored; copy what you need into a file of your own"
    elif paths.others_may_write(infos[1]):
        why = "can be written by other users and is ignored; run `chmod go-w` on it"
    else:
        return True
    refuse(str(path.absolute()), f"{visible(path)} {why}.")
    return False


def refuse(what: str, sentence: str) -> None:
    """Says on stderr, once, that something is not obeyed; a shell that completes a word is told nothing."""
    if _refused.setdefault(what, sentence) is sentence and "_TUITRAIN_COMPLETE" not in os.environ:
        print(f"tuitrain: {sentence}", file=sys.stderr, flush=True)


def refused() -> list[str]:
    """The sentences about what was not obeyed so far, for a screen."""
    return list(_refused.values())
