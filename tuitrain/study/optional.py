"""Optuna, which comes with an extra: imported only by what needs it."""

from __future__ import annotations

from typing import Any

from tuitrain.errors import UsageError


def need_optuna(who: str) -> Any:
    """The module, told to say nothing by itself.

    Raises:
        UsageError: it is not installed, or does not import; the sentence names `who` needs it.
    """
    try:
        import optuna
    except ImportError as error:
        missing = error.name or "optuna"
        raise UsageError(
            f"{who} needs Optuna ({missing} is not installed); install it with `pip install 'tuitrain[search]'`."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
