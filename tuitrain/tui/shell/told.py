"""What a user can do something about is said on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tuitrain.errors import TuitrainError, visible

if TYPE_CHECKING:
    from textual.app import App
    from textual.widget import Widget


@contextmanager
def told(
    where: Widget | App[Any],
    title: str = "",
    timeout: float | None = None,
    errors: tuple[type[Exception], ...] = (TuitrainError,),
) -> Iterator[None]:
    """An error inside ends it there, and is said; `title` is what did not happen, in two or three words."""
    try:
        yield
    except errors as error:
        where.notify(visible(error), title=title, severity="error", markup=False, timeout=timeout)
