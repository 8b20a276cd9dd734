"""Sizes in pixels that are one number for both sides, or `[height, width]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

Pair = tuple[int, int]


def pair(value: int | Sequence[int]) -> Pair:
    """Height and width of what is written as one number where both are the same."""
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def sides_text(value: int | Sequence[int], *, both: bool = False) -> str:
    """`3`, or `1×7` of height 1 and width 7; with `both`, `3×3`."""
    height, width = pair(value)
    return f"{height}×{width}" if both or height != width else f"{height}"


@dataclass(frozen=True)
class SideRange:
    """A whole number for both sides, or `[height, width]`; each from `ge` to `le`."""

    ge: int
    le: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        one = core_schema.int_schema(ge=self.ge, le=self.le)
        two = core_schema.tuple_positional_schema([one, one])
        choice = core_schema.tagged_union_schema({"(one)": one, "(two)": two}, self._tag)
        return core_schema.chain_schema(
            [
                core_schema.no_info_plain_validator_function(
                    lambda v: tuple(v) if isinstance(v, list) else v
                ),
                choice,
                core_schema.no_info_plain_validator_function(self._same),
            ]
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        one = {"type": "integer", "minimum": self.ge, "maximum": self.le}
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 2, "maxItems": 2}]}

    @staticmethod
    def _tag(value: Any) -> str:
        return "(two)" if isinstance(value, tuple) else "(one)"

    @staticmethod
    def _same(value: int | Pair) -> int | Pair:
        return value[0] if isinstance(value, tuple) and value[0] == value[1] else value


Sides = int | Pair
