"""Optuna and Parsl, which come with extras: imported only by what needs them."""

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


def need_parsl(who: str) -> None:
    """Sees to it that Parsl is there.

    Raises:
        UsageError: it is not installed, or does not import; the sentence names `who` needs it.
    """
    try:
        import parsl.concurrent  # noqa: F401
    except ImportError as error:
        missing = error.name or "parsl"
        raise UsageError(
            f"{who} needs Parsl ({missing} is not installed); install it with `pip install 'tuitrain[cluster]'`."
        ) from None
