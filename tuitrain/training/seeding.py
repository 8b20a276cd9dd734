"""Seeds by purpose, so that no generator's state has to be stored. Imports no torch."""

from __future__ import annotations

import hashlib
from typing import Literal

Purpose = Literal["init", "order", "augment", "dropout"]


def key(seed: int, purpose: Purpose, epoch: int = 0, step: int = 0) -> int:
    """The 63-bit seed of a generator for one purpose in one epoch (and step).

    Args:
        seed: the run's.
        purpose: what the numbers are for; purposes don't share numbers.
        epoch: from 0.
        step: from 0 within the epoch.
    """
    text = f"tuitrain/{seed}/{purpose}/{epoch}/{step}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
