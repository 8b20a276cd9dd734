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
        raise _missing(who, "Optuna", error, "search") from None
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
        raise _missing(who, "Parsl", error, "cluster") from None


def _missing(who: str, library: str, error: ImportError, extra: str) -> UsageError:
    missing = error.name or library.lower()
    return UsageError(
        f"{who} needs {library} ({missing} is not installed); install it with `pip install 'tuitrain[{extra}]'`."
    )
