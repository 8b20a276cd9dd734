"""tuitrain: a terminal lab for training small image classifiers under a parameter budget."""

import os
from typing import TYPE_CHECKING, Any

from tuitrain.version import __version__

if TYPE_CHECKING:
    from tuitrain.runs.model_file import load_model

__all__ = ["__version__", "load_model"]

# OpenMP's threads wait for each other by spinning, for longer than a time slice. Where another program comes to hold
# a core, 200,000 rounds of it made two threads 8 times slower than one here; 50,000 rounds make them 4 times slower,
# and an idle machine keeps nine tenths of its speed (with 2,000 rounds: 1.6 times, and six to seven tenths). Read
# once, when torch is imported; the user's own setting counts.
os.environ.setdefault("GOMP_SPINCOUNT", "50000")

# Plug-ins of pydantic would be looked for in what every installed package says of itself, at each start.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def __getattr__(name: str) -> Any:
    if name == "load_model":  # on demand, because it needs torch
        from tuitrain.runs.model_file import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
