"""The editing model of the lab, without Textual: a preset under change, with undo and redo.

The editor holds the plain JSON form of a preset. Every edit makes a new one; what does not fit the
schema is refused (`EditError`), but a network that can't be built is kept: it is represented, and
`NetworkCheck.problem` says which layer breaks and why.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from tuitrain.errors import PresetError, TuitrainError
from tuitrain.spec.challenge import Challenge
from tuitrain.spec.layers import (
    KIND_WORDS,
    REFERRING,
    NetworkSpec,
    follow_references,
    layer_kind,
    layer_names,
    references,
)
from tuitrain.spec.preset import Preset, override, preset_from_dict
from tuitrain.spec.table import NetworkError
from tuitrain.spec.train import Train
from tuitrain.spec.validation import explain
from tuitrain.workbench.edit_steps import EditStep, EditSteps
from tuitrain.workbench.network_check import NetworkCheck, check_network
from tuitrain.workbench.settings import RunDefaults


class EditError(TuitrainError):
    """An edit that can't be made: one sentence for the user."""


#: What the lab sets beside the preset: a budget for this network, and how the machine is used.
SETTINGS: dict[str, Any] = {
    "lab.budget": None,
    "lab.seeds": "1",
    "lab.device": "auto",
    "lab.precision": "fp32",
    "lab.compile": "auto",
    "lab.deterministic": False,
}


@dataclass
class NetworkEditor:
    """A preset under change.

    Args:
        base: the preset as it was chosen; what `reset` goes back to.
        place: what the settings say; they come before the preset, and `reset` leaves them.
    """

    base: Preset
    place: RunDefaults = field(default_factory=RunDefaults)
    model: str = ""  # the network in Python that is trained in the place of the preset's
    data: dict[str, Any] = field(init=False)
    settings: dict[str, Any] = field(init=False)
    check: NetworkCheck = field(init=False)
    _kept: dict[tuple[str, str], dict[str, Any]] = field(init=False, default_factory=dict)
    _steps: EditSteps = field(init=False, default_factory=EditSteps)

    def __post_init__(self) -> None:
        self._base = self.base.to_dict()
        self._base_settings = {
            **SETTINGS,
            "lab.budget": self.place.budget or self.base.challenge.max_parameters,
            **{
                f"lab.{name}": getattr(self.place.runtime, name)
                for name in ("device", "precision", "compile")
            },
        }
        start = override(self.base, self.place.changes)
        self._start = start.to_dict() if self.place.changes else self._base
        self.data, self.settings = self._start, dict(self._base_settings)
        self.check = check_network(start)

    # ------------------------------------------------------------------------------------ reading

    @property
    def preset(self) -> Preset:
        """The preset as it stands; its network may be impossible (see `check.problem`)."""
        return self.check.preset

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The plain forms of the layers; not to be changed in place."""
        layers: list[dict[str, Any]] = self.data["model"]["layers"]
        return layers

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._steps.can_undo

    def name(self, index: int) -> str:
        """What a layer is called (see `layer_names`)."""
        return layer_names(self.layers)[index]

    def value(self, key: str) -> Any:
        """The value under a dotted key such as `train.optimizer.lr`; None where there is none."""
        return self.settings[key] if key in self.settings else lookup(self.data, key)

    def base_value(self, key: str) -> Any:
        """The chosen preset's value under a dotted key; of a setting of the lab, its default."""
        return self._base_settings[key] if key in self._base_settings else lookup(self._base, key)

    @property
    def budget(self) -> int | None:
        """The most parameters that the network may have."""
        budget: int | None = self.settings["lab.budget"]
        return budget

    @property
    def over_budget(self) -> int:
        """By how many parameters the network overruns its budget."""
        return max(0, self.check.parameters - self.budget) if self.budget else 0

    @property
    def is_changed(self) -> bool:
        """Whether the preset differs from the chosen one."""
        return self.data != self._base

    # ------------------------------------------------------------------------------------ writing

    def apply(
        self, data: dict[str, Any], label: str, *, merge: str = "", settings: dict[str, Any] | None = None
    ) -> bool:
        """Makes `data` the current form; edits with the same `merge` are undone together.

        Returns:
            Whether anything changed.

        Raises:
            EditError: `data` does not fit the schema.
        """
        settings = self.settings if settings is None else settings
        if data != self.data:
            # Written as the schema writes it, so that a default set by hand is no difference.
            preset = self._parse(data)
            normal = preset.to_dict()
            data = {**data, "train": normal["train"], "model": normal["model"]}
        if data == self.data and settings == self.settings:
            return False
        check = check_network(preset) if data != self.data else self.check
        self._steps.add(EditStep(self.data, self.settings, label, merge))
        self.data, self.settings, self.check = data, settings, check
        return True

    def _parse(self, data: dict[str, Any]) -> Preset:
        try:
            return self.base.model_copy(
                update={
                    "name": data["name"],
                    "challenge": Challenge.model_validate(data.get("challenge", {})),
                    "train": Train.model_validate(data["train"]),
                    "model": NetworkSpec.model_validate(data["model"]),
                }
            )
        except ValidationError as error:
            sentence = str(explain(error, "")).removeprefix(": ").rstrip(".")
            names = layer_names(data["model"]["layers"])
            sentence = re.sub(r"^layers\[(\d+)\]\.?", lambda m: f"{names[int(m[1])]} ", sentence)
            raise EditError(sentence) from None

    def undo(self) -> str | None:
        """Takes the last edit back and returns what it was, or None where there is none."""
        return self._travel(self._steps.undo(self.data, self.settings))

    def redo(self) -> str | None:
        """Makes an edit again that was taken back, and returns what it was."""
        return self._travel(self._steps.redo(self.data, self.settings))

    def _travel(self, step: EditStep | None) -> str | None:
        if step is None:
            return None
        self.data, self.settings = step.data, step.settings
        self.check = check_network(self._parse(step.data))
        return step.label

    def settle(self) -> None:
        """Ends a run of edits that are undone together."""
        self._steps.settle()

    def set_value(self, key: str, value: Any, *, merge: bool = False) -> bool:
        """Sets a dotted key of `train` or `challenge` (None removes it), or a setting of the lab.

        Another optimizer or schedule is taken by its name with settings of its own (see `choose`).

        Raises:
            EditError: the value is refused.
        """
        if key in ("train.optimizer.name", "train.schedule.name"):
            return self.choose(key.removesuffix(".name"), value)
        if key in self.settings:
            return self.apply(
                self.data, key, merge=key if merge else "", settings={**self.settings, key: value}
            )
        data = copy.deepcopy(self.data)
        *path, last = key.split(".")
        table = data
        for part in path:
            table = table.setdefault(part, {})
        if value is None:
            table.pop(last, None)
        else:
            table[last] = value
        return self.apply(data, key, merge=key if merge else "")

    def choose(self, key: str, name: str) -> bool:
        """Takes another kind of `train.optimizer` or `train.schedule`.

        Its settings are those that it had here before, else the preset's, else the defaults.
        """
        kind = key.rpartition(".")[2]
        own, here = self._base["train"][kind], self.data["train"][kind]
        self._kept[kind, here["name"]] = here
        table = dict(self._kept.get((kind, name)) or (own if own["name"] == name else {"name": name}))
        if name == "multistep" and "milestones" not in table:
            epochs = int(self.value("train.epochs"))
            table["milestones"] = sorted({max(1, epochs // 2), max(1, 3 * epochs // 4)})
        data = copy.deepcopy(self.data)
        data["train"][kind] = table
        return self.apply(data, key)

    def reset(self, key: str) -> bool:
        """Takes back a dotted key to the chosen preset's value; an optimizer or schedule with all of its settings.

        The key "" is every field of the form, but not the network.
        """
        if not key:
            return self.reset_train()
        if key in ("train.optimizer.name", "train.schedule.name"):
            table = key.split(".")[1]
            self._kept = {at: kept for at, kept in self._kept.items() if at[0] != table}
            return self.apply(
                {**self.data, "train": {**self.data["train"], table: self._base["train"][table]}}, table
            )
        start = self._base_settings.get(key) if key in self._base_settings else lookup(self._start, key)
        return self.set_value(key, copy.deepcopy(start))

    def reset_layers(self) -> bool:
        """Takes the network back to the chosen preset's."""
        return self._with_layers(self._base["model"]["layers"], "reset the network")

    def reset_all(self) -> bool:
        """Takes everything back to the chosen preset, the network too."""
        self._kept.clear()
        return self.apply(self._start, "reset all", settings=dict(self._base_settings))

    def reset_train(self) -> bool:
        """Takes every field of the form back, not the network."""
        self._kept.clear()
        data = {**self.data, "train": self._start["train"]}
        return self.apply(data, "reset the form", settings=dict(self._base_settings))

    # -------------------------------------------------------------------------------- the network

    def _with_layers(self, layers: list[dict[str, Any]], label: str, *, merge: str = "") -> bool:
        return self.apply({**self.data, "model": {"layers": layers}}, label, merge=merge)

    def _in_order(self, order: list[int | None], label: str, new: dict[str, Any] | None = None) -> bool:
        """The layers in another order, by their indices, with `new` in the place of None; references follow."""
        old = self.layers
        layers = [copy.deepcopy(old[at] if at is not None else new or {}) for at in order]
        return self._with_layers(follow_references(old, layers, order), label)

    def _copy(self, index: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        layers = copy.deepcopy(self.layers)
        if not 0 <= index < len(layers):
            raise EditError(f"there is no layer [{index}]; the network has {len(layers)}, from [0]")
        return layers, layers[index]

    def widen(self, index: int, delta: int = 1) -> bool:
        """Makes a convolution or linear layer wider or narrower, by whole groups where it has groups.

        Raises:
            EditError: the layer has no width, or it would be out of range.
        """
        layers, layer = self._copy(index)
        kind = layer_kind(layer)
        if kind not in ("conv", "linear"):
            raise EditError(f"{KIND_WORDS[kind]} has no width of its own; press e to edit it")
        step = int(layer.get("groups", 1)) if kind == "conv" else 1
        width = int(layer[kind]) + delta * step
        if width < 1:
            raise EditError(f"{self.name(index)} can't be narrower than {layer[kind]}")
        layer[kind] = width
        return self._with_layers(layers, f"{self.name(index)} {layer[kind] - delta * step} → {width}")

    def set_layer(self, index: int, key: str, value: Any, *, merge: bool = False) -> bool:
        """Sets one key of a layer (`kernel`, `stride`, `padding`, `bias`, its width ...); None removes it."""
        layers, layer = self._copy(index)
        if value is None:
            layer.pop(key, None)
        else:
            layer[key] = value
        if key in REFERRING:  # its own name may be another now
            layers = follow_references(self.layers, layers, range(len(layers)))
        label = f"{self.name(index)} {key}"
        return self._with_layers(layers, label, merge=label if merge else "")

    def set_ops(self, index: int, ops: Sequence[Any]) -> bool:
        """Replaces what follows a layer (`then`), in order."""
        layers, layer = self._copy(index)
        layer.pop("then", None)
        if ops:
            layer["then"] = list(ops)
        elif layer_kind(layer) == "input":
            layers.pop(index)
        return self._with_layers(layers, f"{self.name(index)} operations")

    def ops(self, index: int) -> list[Any]:
        """What follows a layer, in plain form."""
        return list(self.layers[index].get("then", []))

    def move_op(self, index: int, number: int, delta: int) -> bool:
        """Moves an operation earlier or later among those that follow the layer."""
        ops = self.ops(index)
        target = number + delta
        if not (0 <= number < len(ops) and 0 <= target < len(ops)):
            return False
        ops.insert(target, ops.pop(number))
        return self.set_ops(index, ops)

    def insert(self, index: int, layer: dict[str, Any]) -> bool:
        """Puts a layer before position `index`."""
        order: list[int | None] = list(range(len(self.layers)))
        order.insert(max(0, min(index, len(order))), None)
        return self._in_order(order, f"insert {KIND_WORDS[layer_kind(layer)]}", layer)

    def duplicate(self, index: int) -> bool:
        """Puts a copy of a layer right behind it."""
        _, layer = self._copy(index)
        order: list[int | None] = list(range(len(self.layers)))
        order.insert(index + 1, None)
        return self._in_order(order, f"duplicate {self.name(index)}", layer)

    def delete(self, index: int) -> bool:
        """Takes a layer out.

        Raises:
            EditError: it is the only one, or another one names it.
        """
        layers, _ = self._copy(index)
        name = self.name(index)
        if len(layers) == 1:
            raise EditError("a network needs at least one layer; insert another before deleting this one")
        if name in (named := references(layers)):
            raise EditError(f"{self.name(named.index(name))} uses {name}; change or delete it first")
        return self._in_order([at for at in range(len(layers)) if at != index], f"delete {name}")

    def move(self, index: int, delta: int) -> bool:
        """Moves a layer up (-1) or down (+1); False at the ends."""
        layers, _ = self._copy(index)
        target = index + delta
        if not 0 <= target < len(layers):
            return False
        order: list[int | None] = list(range(len(layers)))
        order.insert(target, order.pop(index))
        return self._in_order(order, f"move {self.name(index)}")

    # ------------------------------------------------------------------------------------- ending

    def checked(self, name: str | None = None) -> Preset:
        """The preset, checked as if read from a file, under another name if given.

        Raises:
            PresetError: it can't be trained.
        """
        data = copy.deepcopy(self.data)
        if name is not None:
            data["name"] = name
        try:
            return preset_from_dict(data, "this network")
        except NetworkError as error:
            raise PresetError(f"{error.sentence}.") from None


def lookup(data: Any, key: str) -> Any:
    """The value under a dotted key, None where there is none."""
    for part in key.split("."):
        if not isinstance(data, dict) or part not in data:
            return None
        data = data[part]
    return data
