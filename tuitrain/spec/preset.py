"""Presets: what to train, as one checked value, read from and written to TOML."""

from __future__ import annotations

import csv
import io
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from tuitrain import tomltext
from tuitrain.errors import PresetError, visible
from tuitrain.spec.challenge import Challenge
from tuitrain.spec.layers import LAYERS, NetworkSpec
from tuitrain.spec.table import NetworkTable
from tuitrain.spec.train import OPTIMIZERS, SCHEDULES, Train
from tuitrain.spec.validation import Spec, explain
from tuitrain.spec.walk import network_table

SCHEMA = 1
MAX_FILE_BYTES = 64 * 1024
NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"

Text = Annotated[str, Field(max_length=2000)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Story(Spec):
    """What the source did in this step and made of it, in our words."""

    previous: Text = ""
    change: Text = ""
    aim: Text = ""
    outcome: Text = ""
    notes: tuple[Text, ...] = ()

    @classmethod
    def _lists(cls, data: dict[str, Any]) -> dict[str, Any]:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}


class Claims(Spec):
    """What the source reported of one data set; accuracies in percent, each the best over epochs unless it says else."""

    dataset: Text = "mnist"
    parameters: Annotated[int, Field(ge=1)] | None = None
    train_accuracy: Percent | None = None
    test_accuracy: Percent | None = None
    last_test_accuracy: Percent | None = None
    note: Text = ""

    def on(self, dataset: str) -> Claims | None:
        """These, where they are about this data set and hold a figure."""
        return self if self.dataset == dataset and self.figures else None

    @property
    def figures(self) -> bool:
        """Whether any was reported."""
        return any((self.parameters, self.train_accuracy, self.test_accuracy, self.last_test_accuracy))


class Preset(Spec):
    """One preset. Only `[model]` is required; everything else has a default."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")] = "unnamed"
    title: Text = ""
    family: Annotated[str, Field(max_length=64)] = ""
    source: Text = ""
    story: Story = Story()
    challenge: Challenge = Challenge()
    claims: Claims = Claims()
    train: Train = Train()
    model: NetworkSpec

    @model_validator(mode="after")
    def _early_stop_has_a_target(self) -> Preset:
        if self.train.early_stop.target_epochs and not self.target_accuracy:
            raise ValueError(
                "train.early_stop.target_epochs needs a target; set train.early_stop.target_accuracy to a percentage"
            )
        return self

    @property
    def target_accuracy(self) -> float | None:
        """The accuracy in percent at which a run may end early: its own, else the challenge's."""
        return self.train.early_stop.target_accuracy or self.challenge.target_accuracy

    def table(self) -> NetworkTable:
        """The network's figures.

        Raises:
            NetworkError: the network can't be built.
        """
        return network_table(self.model, dropout=self.train.dropout)

    def to_dict(self) -> dict[str, Any]:
        """The plain JSON form, everything written out but what is empty."""
        out: dict[str, Any] = {"schema": SCHEMA, "name": self.name}
        for key in ("title", "family", "source"):
            if getattr(self, key):
                out[key] = getattr(self, key)
        for key in ("story", "challenge", "claims"):
            section = _dump(getattr(self, key), defaults=False)
            if section:
                out[key] = section
        out["train"] = _dump(self.train, defaults=True)
        out["model"] = self.model.to_toml_value()
        return out

    def to_toml(self, comment: str = "") -> str:
        """The TOML form, one line a layer; `comment` goes on top."""
        return to_toml(self.to_dict(), comment)


def _dump(part: BaseModel, *, defaults: bool) -> dict[str, Any]:
    data = part.model_dump(mode="json", exclude_defaults=not defaults, exclude_none=True)
    return {key: value for key, value in data.items() if value not in ([], {}, "")}


# ---------------------------------------------------------------------------------------- reading


def _known_keys() -> dict[str, list[str]]:
    """The keys of each table by its dotted place, for did-you-mean."""
    out: dict[str, list[str]] = {}

    def walk(model: type[BaseModel], place: str) -> None:
        out[place] = [info.alias or name for name, info in model.model_fields.items()]
        for name, info in model.model_fields.items():
            for child in _models_in(info.annotation):
                walk(child, f"{place}.{name}" if place else name)

    walk(Preset, "")
    for table, kinds in (("train.optimizer", OPTIMIZERS), ("train.schedule", SCHEDULES)):
        out |= {f"{table}.{kind}": list(model.model_fields) for kind, model in kinds.items()}
    out["model.layers[]"] = sorted({key for m in LAYERS.values() for key in m.model_fields})
    return out


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for arg in typing.get_args(annotation):
            yield from _models_in(arg)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation


def preset_from_dict(data: Mapping[str, Any], where: str) -> Preset:
    """The checked preset of a plain JSON form.

    Args:
        data: tables as TOML or JSON gives them.
        where: file or flag, for the error.

    Raises:
        PresetError: a key or value is wrong, or the network can't be built.
    """
    data = dict(data)
    story = data.get("story")
    if isinstance(story, dict):
        data["story"] = Story._lists(story)
    try:
        preset = Preset.model_validate(data)
    except ValidationError as error:
        raise explain(error, where, _known_keys()) from None
    except RecursionError:
        raise PresetError(
            f"{visible(where)}: nested too deeply; write a preset by `tuitrain presets new`."
        ) from None
    try:
        preset.table()
    except PresetError as error:
        error.args = (f"{visible(where)}: {error}.",)
        raise
    return preset


def preset_from_toml(text: str, where: str, *, name: str | None = None) -> Preset:
    """The checked preset of a TOML text; `name` where the text names none.

    Raises:
        PresetError: not TOML, or not a preset.
    """
    try:
        data = tomltext.tables(text)
    except ValueError as error:
        raise PresetError(f"{visible(where)}: {visible(error)}.") from None
    if name is not None:
        data.setdefault("name", name)
    return preset_from_dict(data, where)


def slug(text: str) -> str:
    """A preset name out of any text."""
    cleaned = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:64].strip("-._")
    return cleaned or "unnamed"


def read_preset(path: Path) -> Preset:
    """The preset of a file; its name is the file's where it states none.

    Raises:
        PresetError: unreadable, too large, or not a preset.
    """
    where = visible(path)
    try:
        if path.is_dir():
            raise PresetError(f"{where}: is a folder; name a .toml file in it.")
        if not path.is_file():
            raise PresetError(f"{where}: no such preset file; `tuitrain presets` lists what there is.")
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PresetError(
            f"{where}: can't be read ({visible(getattr(error, 'strerror', None) or error)}); check the path."
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise PresetError(
            f"{where}: larger than {MAX_FILE_BYTES // 1024} KiB; a preset is a small text file."
        )
    try:
        text = tomltext.decoded(raw)
    except ValueError as error:
        raise PresetError(f"{where}: {error}.") from None
    return preset_from_toml(text, str(path), name=slug(path.stem))


# --------------------------------------------------------------------------------------- changing


_PATH = re.compile(r"([A-Za-z0-9_]+)|\[(-?[0-9]{1,9})\]")


def _walk_to(data: Any, key: str) -> tuple[Any, str | int]:
    """The container and last key of a dotted place such as `model.layers[2].conv`."""
    parts: list[str | int] = []
    rest = key
    while rest:
        match = _PATH.match(rest)
        if not match:
            raise PresetError(
                f"--set {visible(key)}: not a key; write it as train.batch_size or model.layers[2].conv."
            )
        parts.append(int(match[2]) if match[2] is not None else match[1])
        rest = rest[match.end() :].removeprefix(".")
        if len(parts) > tomltext.MAX_PARTS:
            raise PresetError(
                f"--set {visible(key)}: a key of more than {tomltext.MAX_PARTS} parts; "
                "write it as train.batch_size or model.layers[2].conv."
            )
    if not parts:
        raise PresetError("--set: the key is empty; write it as train.batch_size=64.")
    for part in parts[:-1]:
        try:
            data = (
                data.setdefault(part, {}) if isinstance(data, dict) and isinstance(part, str) else data[part]
            )
        except (KeyError, IndexError, TypeError):
            raise PresetError(
                f"{visible(key)}: there is no [{part}] in this preset; `tuitrain show` lists its layers."
            ) from None
    return data, parts[-1]


def override(preset: Preset, changes: Mapping[str, Any], where: str = "the settings") -> Preset:
    """The preset with some values replaced, checked again.

    Args:
        preset: where to start from.
        changes: values by dotted key (`train.batch_size`, `model.layers[2].conv`). A whole table
            (`train.optimizer`) replaces the table; a bare name for it takes that kind's defaults.
        where: for the error.

    Raises:
        PresetError: a key does not exist or a value is refused.
    """
    data = json.loads(json.dumps(preset.to_dict()))
    for key, value in changes.items():
        for table, kind in (
            ("train.optimizer", preset.train.optimizer),
            ("train.schedule", preset.train.schedule),
        ):
            another = key == f"{table}.name" and value != kind.name
            if isinstance(value, str) and (key == table or another):
                key, value = table, {"name": value}  # another kind has other settings
        container, last = _walk_to(data, key)
        try:
            if isinstance(container, dict) and not isinstance(last, str):
                raise TypeError
            container[last] = value
        except (IndexError, TypeError):
            raise PresetError(
                f"{visible(key)}: there is nothing of that name in this preset; `tuitrain show` lists its layers."
            ) from None
    return preset_from_dict(data, where)


def flattened(value: Any, place: str = "") -> dict[str, Any]:
    """Tables and lists of tables as values by dotted key: `train.epochs`, `model.layers[2].conv`."""
    if isinstance(value, dict) and value:
        out: dict[str, Any] = {}
        for key, item in value.items():
            out |= flattened(item, f"{place}.{key}" if place else str(key))
        return out
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        out = {}
        for index, item in enumerate(value):
            out |= flattened(item, f"{place}[{index}]")
        return out
    return {place: value}


def differences(old: Preset, new: Preset) -> dict[str, list[Any]]:
    """What was changed between two presets: [old, new] by dotted key; None where a side has no such key.

    Networks of different length are compared as a whole, under `model.layers`.
    """
    a, b = old.to_dict(), new.to_dict()
    out: dict[str, list[Any]] = {}
    if len(a["model"]["layers"]) != len(b["model"]["layers"]):
        out["model.layers"] = [a["model"]["layers"], b["model"]["layers"]]
        a = {**a, "model": {}}
        b = {**b, "model": {}}
    flat_a, flat_b = (
        flattened({k: part.get(k, {}) for k in ("challenge", "train", "model")}) for part in (a, b)
    )
    for key in [*flat_a, *(k for k in flat_b if k not in flat_a)]:
        if flat_a.get(key) != flat_b.get(key) and (flat_a.get(key), flat_b.get(key)) != ({}, None):
            out[key] = [flat_a.get(key), flat_b.get(key)]
    return out


# ---------------------------------------------------------------------------------------- writing


def toml_value(value: Any) -> str:
    """A value in one line of TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which JSON lets stand.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return repr(value)


def to_toml(data: Mapping[str, Any], comment: str = "") -> str:
    """A preset's JSON form as TOML, in the order and manner of the built-in files."""
    lines = [f"# {visible(line)}" for line in comment.splitlines()]
    lines += [f"{key} = {toml_value(value)}" for key, value in data.items() if not isinstance(value, dict)]
    for key, section in data.items():
        if not isinstance(section, dict):
            continue
        lines += ["", f"[{key}]"]
        for name, value in section.items():
            if key == "model" and name == "layers":
                lines += ["layers = [", *(f"  {toml_value(layer)}," for layer in value), "]"]
            elif key == "story" and isinstance(value, list | tuple):
                lines += [f"{name} = [", *(f"  {toml_value(item)}," for item in value), "]"]
            else:
                lines.append(f"{name} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------------------------- published log


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """What the source logged, epoch by epoch; accuracies as fractions, None where it logged none."""

    test_acc: tuple[float | None, ...]
    test_loss: tuple[float | None, ...]
    train_acc: tuple[float | None, ...]
    train_loss: tuple[float | None, ...]


def read_published_log(path: Path) -> PublishedLog | None:
    """The log beside a preset's file (`step13.log.csv` beside `step13.toml`), or None where there is none."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    except (OSError, UnicodeDecodeError):
        return None

    def column(name: str) -> tuple[float | None, ...]:
        return tuple(float(row[name]) if row.get(name) else None for row in rows)

    return PublishedLog(column("test_acc"), column("test_loss"), column("train_acc"), column("train_loss"))
