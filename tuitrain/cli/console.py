"""The two streams: stdout is for data, stderr for messages."""

from __future__ import annotations

import functools
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tuitrain.errors import shortened, visible
from tuitrain.runs.signals import data_stream

if TYPE_CHECKING:
    from rich.console import Console


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    plain = os.environ.get("TERM") == "dumb" or not stream.isatty()
    # A pipe has no width of its own; 100 columns keep every table whole.
    width = None if stream.isatty() or "COLUMNS" in os.environ else 100
    return Console(
        stderr=stderr, markup=False, highlight=False, emoji=False, no_color=plain or None, width=width
    )


@functools.cache
def stdout() -> Console:
    """Where results go; markup off."""
    return _console(stderr=False)


@functools.cache
def stderr() -> Console:
    """Where progress, notices and errors go; markup off."""
    return _console(stderr=True)


def emit_json(data: Any) -> None:
    """One JSON value on stdout."""
    out = data_stream()
    out.write(json.dumps(data, indent=2 if out.isatty() else None, allow_nan=False) + "\n")
    out.flush()


def complain(message: object) -> None:
    """One error sentence on stderr; it ends with a full stop, or with the mark that it has."""
    text = shortened(visible(message))
    text += "" if text.endswith((".", "?", "!")) else "."
    try:
        sys.stderr.write(f"tuitrain: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads stderr; the exit code remains
