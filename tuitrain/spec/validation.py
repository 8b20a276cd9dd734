"""The strict, frozen pydantic base of everything in a preset, and its errors in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tuitrain.errors import PresetError, suggest, visible


class Spec(BaseModel):
    """A frozen part of a preset: strict types, finite numbers, no unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


#: Names by which pydantic tells the members of a union apart; they are no keys of the file.
_TAGS = frozenset(
    [
        "sgd",
        "adam",
        "adamw",
        "rmsprop",
        "constant",
        "step",
        "multistep",
        "exponential",
        "cosine",
        "cosine_restarts",
        "onecycle",
        "cyclic",
        "plateau",
    ]
)


def dotted(loc: tuple[int | str, ...]) -> str:
    """The place in a TOML file: `model.layers[4].kernel`, without the tags of unions."""
    out = ""
    for part, before in _pairs(loc):
        if isinstance(part, int):
            out += f"[{part}]"
        elif not part.startswith("(") and not _is_tag(part, before):
            out += f".{part}" if out else part
    return out


def _pairs(loc: tuple[int | str, ...]) -> Iterator[tuple[int | str, int | str]]:
    """Each part of a place and the one before it."""
    return zip(loc, ("", *loc), strict=False)


def _is_tag(part: int | str, before: int | str) -> bool:
    return before in ("optimizer", "schedule") and part in _TAGS


_BOUNDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "{} or less"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "list_type": "a list [ ... ]",
    "tuple_type": "a list [ ... ]",
    "dict_type": "a table { ... }",
    "model_type": "a table { ... }",
    "model_attributes_type": "a table { ... }",
    "finite_number": "a finite number",
    "literal_error": "",
}


def _shown(value: Any) -> str:
    if isinstance(value, str):
        text = "'" + visible(value) + "'"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, dict | list | tuple):
        text = "a table" if isinstance(value, dict) else "a list"
    else:
        text = visible(value)
    return text if len(text) <= 60 else text[:57] + "..."


def explain(error: ValidationError, where: str, keys: dict[str, list[str]] | None = None) -> PresetError:
    """The first validation error as one sentence that names file, key, value and remedy.

    Args:
        error: what pydantic found.
        where: the file (or flag) it was found in.
        keys: the known keys of each table, by its dotted place ('' for the top), for did-you-mean.
    """
    found = error.errors(include_url=False, include_context=True)
    # A tuple none of whose items passed is reported as too short as well; that is no second mistake.
    found = [e for e in found if e["type"] != "too_short" or not e["input"]] or found
    # A misspelt key is named before what is missing because of it.
    first = min(found, key=lambda item: item["type"] != "extra_forbidden")
    sentence = wrong_value(dotted(first["loc"]), first, keys or {})
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    stop = "" if sentence.endswith("?") and not more else "."
    return PresetError(f"{visible(where)}: {sentence}{more}{stop}")


def wrong_value(place: str, error: Any, keys: dict[str, list[str]] | None = None) -> str:
    """What is wrong at `place` and what to do, without a full stop."""
    keys = keys or {}
    kind, value = error["type"], error.get("input")
    context: dict[str, Any] = error.get("ctx") or {}
    shown = visible(place)
    if kind == "extra_forbidden":
        parent, _, key = place.rpartition(".")
        tag = next((str(part) for part, before in _pairs(error["loc"]) if _is_tag(part, before)), "")
        if tag:  # a key of another kind of optimizer or schedule, or of none
            options = [o for o in keys.get(f"{parent}.{tag}", []) if o != "name"]
            hint = suggest(key, options) if options else "; remove it"
            return f"{shown} is not a setting of {tag}{hint}"
        options = keys.get(re.sub(r"\[\d+\]", "[]", parent), [])
        return f"{shown} is not a known key" + (suggest(key, options) if options else "; remove it")
    if kind == "missing":
        return f"{shown} is missing; add it"
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        limit = context[bound]
        return f"{shown} is {_shown(value)}; use {words.format(f'{limit:,}' if isinstance(limit, int) else f'{limit:g}')}"
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        hint = (
            suggest(value, options)
            if isinstance(value, str) and options
            else f"; use {context.get('expected')}"
        )
        return f"{shown} is {_shown(value)}{hint}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        options = re.findall(r"'([^']*)'", str(context.get("expected_tags", "")))
        if isinstance(value, dict) and "name" in value:
            return f"{shown}.name is {_shown(value['name'])}{suggest(str(value['name']), options)}"
        return f'{shown} names no kind; add name = "..." to it'
    if kind in _TYPES:
        return f"{shown} is {_shown(value)}; use {_TYPES[kind]}"
    if kind == "value_error":
        text = visible(context.get("error", error["msg"]))
        return f"{shown}: {text}" if place else text
    if kind == "too_short":
        return f"{shown} is empty; add an entry"
    if kind == "too_long":
        return f"{shown} has too many entries; the limit is {context['max_length']}"
    if kind == "string_too_long":
        return f"{shown} is too long; the limit is {context['max_length']} characters"
    if kind == "string_pattern_mismatch":
        return f"{shown} is {_shown(value)}; use lower-case letters, digits, '.', '_' and '-', at most 64"
    return f"{shown}: {visible(error['msg'])}"
