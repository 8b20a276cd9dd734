"""What Typer could not read on the command line, in one sentence: what, where, and what to do."""

from __future__ import annotations

import re
import sys
from itertools import takewhile
from typing import Any

from tuitrain.errors import nearest, visible

_GROUPS = ("presets", "runs", "data", "lesson", "config")


def usage_sentence(error: Any) -> str:
    """An error of Typer about the command line, as one sentence like tuitrain's own.

    Args:
        error: a `UsageError` of the click inside Typer or of an installed one; recognised by its name and fields.
    """
    kind, context = type(error).__name__, error.ctx
    where = context.command_path if context else _command_typed()
    if kind == "NoSuchOption":
        flags = (
            [flag for p in context.command.params for flag in (*p.opts, *p.secondary_opts)] if context else []
        )
        close = nearest(error.option_name, [flag for flag in flags if flag.startswith("--")])
        return f"no such option: {error.option_name}{_hint(close, where)}"
    if kind == "MissingParameter":
        missing = (error.param.metavar or error.param.name).rstrip(".")
        return f"the argument {missing} is missing; see `{where} -h`."
    reason = error.format_message()
    if kind == "BadParameter" and error.param is not None:
        reason = _value(error) or reason
    elif needs := re.match(r"Option '(.*)' requires an argument", reason):
        reason = f"{needs[1]} needs a value"
    elif too_many := re.match(r"Got unexpected extra arguments?\(?s?\)? \((.*)\)", reason, re.DOTALL):
        reason = f"'{too_many[1]}' is unexpected"
        if where in ("tuitrain run", "tuitrain lab"):
            reason += f"; a preset is named by `--preset {too_many[1].split()[0]}`"
    elif command := re.match(r"(No such command '.*'). Did you mean '(.*)'\?", reason, re.DOTALL):
        return f"{command[1][:1].lower()}{command[1][1:]}{_hint(command[2], where)}"
    reason = reason.rstrip(".?")
    return f"{reason[:1].lower()}{reason[1:]}; see `{where} -h`."


def _hint(close: str | None, where: str) -> str:
    return f"; did you mean '{close}'? (see `{where} -h`)" if close else f"; see `{where} -h`."


def _value(error: Any) -> str | None:
    """`--lr is 'abc'; use a number`, where Typer had pydantic read it."""
    found = getattr(error.__cause__, "errors", None)
    if found is None:
        return None
    from tuitrain.spec.validation import wrong_value

    name = max(error.param.opts, key=len) if error.param.opts else error.param.name
    return wrong_value(name, found(include_url=False)[0])


def _command_typed() -> str:
    """The command, as the words before the first flag name it: Typer does not say where a value is missing."""
    words = list(takewhile(lambda word: not word.startswith("-"), sys.argv[1:]))
    depth = 2 if words[:1] and words[0] in _GROUPS else 1
    return visible(" ".join(["tuitrain", *words[:depth]]))
