"""The JSON Schema of a preset's TOML form, so that editors complete and check it."""

from __future__ import annotations

from typing import Any

from tuitrain.spec.layers import LAYERS
from tuitrain.spec.operations import OP_SETTINGS, PLAIN_OPS
from tuitrain.spec.preset import Preset


def _closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _op() -> dict[str, Any]:
    settings = [
        _closed({c.kind: c.model_json_schema()["properties"][c.kind]}, [c.kind]) for c in OP_SETTINGS.values()
    ]
    return {"anyOf": [{"enum": list(PLAIN_OPS)}, *settings]}


def _layer() -> dict[str, Any]:
    ops = {"type": "array", "items": {"$ref": "#/$defs/Op"}}
    kinds = []
    for kind, model in LAYERS.items():
        properties = model.model_json_schema()["properties"] | {"then": ops}
        kinds.append(
            _closed(properties, ["then"] if kind == "input" else [kind]) | {"description": model.__doc__}
        )
    return {"anyOf": [*kinds, {"$ref": "#/$defs/Op"}]}


def preset_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a preset file."""
    schema = Preset.model_json_schema(by_alias=True)
    keep = {
        name: part
        for name, part in schema["$defs"].items()
        if name not in {m.__name__ for m in LAYERS.values()}
    }
    for unused in ("_PlainOpInput", "_Unknown", *(c.__name__ for c in OP_SETTINGS.values())):
        keep.pop(unused, None)
    keep["Op"], keep["Layer"] = _op(), _layer()
    keep["NetworkSpec"] = _closed(
        {"layers": {"type": "array", "minItems": 1, "maxItems": 64, "items": {"$ref": "#/$defs/Layer"}}},
        ["layers"],
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tuitrain preset",
        **{key: value for key, value in schema.items() if key not in ("$defs", "title")},
        "$defs": keep,
    }
