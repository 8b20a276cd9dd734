"""The strict, frozen pydantic base of everything in a preset, and its errors in one sentence."""

from __future__ import annotations

import difflib
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tuitrain.errors import PresetError, visible


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


def suggest(word: str, options: list[str]) -> str:
    """`; did you mean 'x'?` or the list of what there is, for the end of an error sentence."""
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; use one of: {', '.join(options)}"


def dotted(loc: tuple[int | str, ...]) -> str:
    """The place in a TOML file: `model.layers[4].kernel`. Tags of unions are in parentheses and left out."""
    out = ""
    for part in loc:
        if isinstance(part, int):
            out += f"[{part}]"
        elif not part.startswith("("):
            out += f".{part}" if out else part
    return out


_BOUNDS = {
    "greater_than": ("gt", "a number above {}"),
    "greater_than_equal": ("ge", "{} or more"),
    "less_than": ("lt", "a number below {}"),
    "less_than_equal": ("le", "{} or less"),
}
_TYPES = {
    "int_type": "a whole number",
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
    # A misspelt key is named before what is missing because of it.
    first = min(found, key=lambda item: item["type"] != "extra_forbidden")
    place, kind, value = dotted(first["loc"]), first["type"], first.get("input")
    context: dict[str, Any] = first.get("ctx") or {}
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    if kind == "extra_forbidden":
        parent, _, key = place.rpartition(".")
        options = (keys or {}).get(re.sub(r"\[\d+\]", "[]", parent), [])
        hint = suggest(key, options) if options else "; remove it"
        sentence = f"{visible(place)} is not a known key{hint}"
    elif kind == "missing":
        sentence = f"{visible(place)} is missing; add it"
    elif kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        sentence = f"{visible(place)} is {_shown(value)}; use {words.format(context.get(bound))}"
    elif kind == "literal_error":
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        hint = (
            suggest(value, options)
            if isinstance(value, str) and options
            else f"; use {context.get('expected')}"
        )
        sentence = f"{visible(place)} is {_shown(value)}{hint}"
    elif kind in _TYPES:
        sentence = f"{visible(place)} is {_shown(value)}; use {_TYPES[kind]}"
    elif kind == "value_error":
        text = visible(context.get("error", first["msg"]))
        sentence = f"{visible(place)}: {text}" if place else text
    elif kind in ("too_long", "too_short", "string_too_long"):
        limit = context.get("max_length", context.get("min_length"))
        sentence = f"{visible(place)} has the wrong length; the limit is {limit}"
    else:
        sentence = f"{visible(place)}: {visible(first['msg'])}"
    return PresetError(
        f"{visible(where)}: {sentence}{more}"
        if sentence.endswith("?")
        else f"{visible(where)}: {sentence}{more}."
    )
