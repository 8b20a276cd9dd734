"""Names of runs: made safe when they come from a person, found again by prefix."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tuitrain.errors import RunDirectoryError, visible
from tuitrain.paths import expand

MAX_CHARS = 80
MAX_BYTES = 160
_RESERVED = {"latest", ""}


def safe_name(text: str) -> str:
    """A name that is safe as a folder's name: letters, digits and `. _ - + =`, not hidden, not long."""
    text = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8"))
    text = "".join(char if char.isalnum() or char in "._-+=" else "-" for char in text[: 4 * MAX_CHARS])
    text = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", text)).strip(".-")[:MAX_CHARS]
    text = text.encode("utf-8")[:MAX_BYTES].decode("utf-8", "ignore").strip(".-")
    return f"{text}-run".lstrip("-") if text.lower() in _RESERVED else text


def fresh_name(preset_name: str) -> str:
    """`2026-11-20T15-30-12_step13_7f3a`: local time, preset, four random letters."""
    stamp = time.strftime("%Y-%m-%dT%H-%M-%S")
    return f"{stamp}_{safe_name(preset_name)}_{secrets.token_hex(2)}"


def looks_like_run(path: Path) -> bool:
    """Whether a folder is a run directory."""
    try:
        return path.is_dir() and any((path / name).exists() for name in ("events.jsonl", "run.lock"))
    except (OSError, ValueError):
        return False


def run_names(runs_dir: Path) -> list[str]:
    """The folders that may be runs, sorted; none when there is no runs folder."""
    try:
        with os.scandir(runs_dir) as entries:
            return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunDirectoryError(
            f"runs folder {visible(runs_dir)} can't be read: {visible(error.strerror)}; use --runs-dir."
        ) from None


def match_name(names: Sequence[str], wanted: str) -> str | None:
    """The name that equals, or is the only one to begin or end with, what is wanted; None if there is none.

    Raises:
        RunDirectoryError: more than one does.
    """
    if wanted in names:
        return wanted
    for matches in ([n for n in names if n.startswith(wanted)], [n for n in names if n.endswith(wanted)]):
        if len(matches) == 1:
            return matches[0]
        if matches:
            some = ", ".join(visible(n) for n in matches[:3]) + (", …" if len(matches) > 3 else "")
            raise RunDirectoryError(
                f"'{visible(wanted)}' may be {len(matches)} runs ({some}); give more of the name."
            )
    return None


def find_by_name(runs_dir: Path, wanted: str, newest: str | None = None) -> Path:
    """The directory of a run named by its path, its name, or a unique beginning or end of it.

    `newest` is what `latest` stands for.

    Raises:
        RunDirectoryError: no run, or more than one, is called that.
    """
    shown = visible(wanted)
    if wanted == "latest":
        if newest is None:
            raise RunDirectoryError(
                f"there are no runs in {visible(runs_dir)}; start one with `tuitrain run --preset step13`."
            )
        return runs_dir / newest
    if "\0" in wanted or not wanted:
        raise RunDirectoryError(f"no run is called '{shown}'; list them with `tuitrain runs`.")
    if "/" in wanted or wanted in (".", ".."):
        path = expand(wanted)
        if looks_like_run(path):
            return path
        raise RunDirectoryError(f"{shown} is no run directory; list the runs with `tuitrain runs`.")
    names = run_names(runs_dir)
    name = match_name(names, wanted)
    if name is not None:
        return runs_dir / name
    close = difflib.get_close_matches(wanted, [*names, "latest"], n=1, cutoff=0.5)
    hint = f"did you mean '{visible(close[0])}'?" if close else "list them with `tuitrain runs`."
    raise RunDirectoryError(f"no run '{shown}' in {visible(runs_dir)}; {hint}")
