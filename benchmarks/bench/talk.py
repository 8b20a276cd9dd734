"""What the benchmarks say while they run: on stderr, so that stdout stays for tables."""

from __future__ import annotations

import sys
import time

_begun = time.monotonic()


def say(text: str) -> None:
    """A line with the time since the start."""
    print(f"{time.monotonic() - _begun:6.0f} s  {text}", file=sys.stderr, flush=True)


def spent_s() -> float:
    """Seconds since the start."""
    return time.monotonic() - _begun
