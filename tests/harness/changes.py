"""Changes to a process by name: faults that are put in (`faults.py`), protections that are taken out (`protections*.py`).

A name may have an argument: `kill_at:write@checkpoints#3`. Each is for a process of its own: nothing is put back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

NAMES: dict[str, Callable[[str], None]] = {}


def named(function: Callable[[str], None]) -> Callable[[str], None]:
    """Makes a function one that can be asked for by its name."""
    NAMES[function.__name__] = function
    return function


def apply(names: Sequence[str]) -> None:
    """Take these out of, or put these into, this process."""
    for module in ("faults", "protections", "protections_hostile"):
        importlib.import_module(f"harness.{module}")
    for name in names:
        key, _, argument = name.partition(":")
        NAMES[key](argument)
