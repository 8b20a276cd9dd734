"""Errors a user can cause, and the exit codes that scripts may rely on. Imports nothing of ours."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says when it ends; an interface, never renumbered."""

    DONE = 0
    FAILED = 1
    USAGE = 2  # usage, preset, or over a --budget
    DATA = 3  # data missing or corrupt, or every checkpoint damaged
    RUN_DIRECTORY = 4  # run directory busy or unwritable
    DIVERGED = 5  # loss not finite
    DEVICE = 6  # no such device, or out of its memory
    REQUIREMENT = 7  # a --require-... assertion missed
    SIGINT = 130
    SIGTERM = 143


class Signalled(SystemExit):
    """A signal ends this process, which has nothing to save; told from a `sys.exit()` in somebody's network."""


class TuitrainError(Exception):
    """One sentence for the user: what is wrong, where (file, key or flag), and what to do."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(TuitrainError):
    """A flag or argument that can't be used."""

    exit_code = ExitCode.USAGE


class PresetError(TuitrainError):
    """A preset that can't be read, or a network that can't be built."""

    exit_code = ExitCode.USAGE


class DataError(TuitrainError):
    """Data that is missing, damaged or unreachable."""

    exit_code = ExitCode.DATA


class CheckpointError(TuitrainError):
    """A checkpoint that is damaged or not ours."""

    exit_code = ExitCode.DATA


class RunDirectoryError(TuitrainError):
    """A run directory that is busy, missing or unwritable."""

    exit_code = ExitCode.RUN_DIRECTORY


class BusyError(RunDirectoryError):
    """A run directory that another living process holds."""


class DivergedError(TuitrainError):
    """A loss that is no longer finite."""

    exit_code = ExitCode.DIVERGED


class DeviceError(TuitrainError):
    """A device that is not there, or is out of memory."""

    exit_code = ExitCode.DEVICE


class RequirementError(TuitrainError):
    """A --require-... assertion that the run missed."""

    exit_code = ExitCode.REQUIREMENT


def safe_str(value: object) -> str:
    """A value as text, or its type if `str` raises, as with an exception of a user's code."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"


def visible(text: object) -> str:
    """Text from files, names and exceptions with its control characters made visible.

    Newlines and tabs become spaces; other control, bidirectional and surrogate characters become
    their escapes, so that neither a terminal nor a log line can be steered by them.
    """
    out: list[str] = []
    for char in safe_str(text):
        code = ord(char)
        if char in "\n\t\r":
            out.append(" ")
        elif (
            code < 0x20
            or 0x7F <= code < 0xA0
            or 0x200B <= code <= 0x200F
            or 0x2028 <= code <= 0x202E
            or 0x2060 <= code <= 0x206F
            or 0xD800 <= code <= 0xDFFF
            or code == 0xFEFF
        ):
            out.append(char.encode("unicode_escape", "surrogatepass").decode("ascii"))
        else:
            out.append(char)
    return "".join(out)


def shortened(text: str, limit: int = 1000) -> str:
    """A text without its middle where it is longer than anybody reads: an argument of 100 KB in an error."""
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]} … ({left_out:,} characters left out) … {text[-half:]}" if left_out > 60 else text


def nearest(word: str, options: Sequence[str]) -> str | None:
    """The option most like the word, letters that changed places first; None where none is near."""
    swapped = [option for option in options if sorted(option) == sorted(word)]
    close = swapped or difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return close[0] if close else None


def suggest(word: str, options: list[str]) -> str:
    """`; did you mean 'x'?` or the list of what there is, for the end of an error sentence."""
    close = nearest(word, options)
    if close:
        return f"; did you mean '{close}'?"
    return f"; use one of: {', '.join(options)}"
