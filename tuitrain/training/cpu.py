"""The processor: its name and how many cores this process may use. Imports no torch."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from tuitrain.errors import visible


def usable_cpus() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """The processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return visible(match[1]).strip() if match else (platform.processor() or platform.machine() or "CPU")


def describe_cpu() -> str:
    """The name of the processor and the number of usable cores."""
    return f"{cpu_model()}, {usable_cpus()} cores"
