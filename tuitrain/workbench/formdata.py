"""What the lab's form shows of a preset under change. No textual."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tuitrain.data.catalog import training_images
from tuitrain.errors import visible
from tuitrain.figures import sparkline
from tuitrain.spec.describe import value_text
from tuitrain.spec.preset import Preset
from tuitrain.spec.schedule import LearningRate
from tuitrain.spec.train import OPTIMIZERS, SCHEDULES, Cyclic, OneCycle, Plateau, Train
from tuitrain.training.runtime import COMPILE, PRECISIONS
from tuitrain.watch.devices import Device
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.fields import FormData, FormField, Item, schema_field

PICTURE = 22  # cells of the picture of the learning rate
TITLES = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "qmnist": "QMNIST",
    "emnist-digits": "EMNIST digits",
}
#: The form from top to bottom: keys of `[train]` (a table with all of its own) and of the lab, and headings.
LAYOUT: tuple[str | Item, ...] = (
    "dropout", "optimizer.lr", "batch_size", "rotation", "epochs", "optimizer", "schedule", "seed", "lab.seeds",
    "lab.device", "lab.budget", "dataset", "val_split",
    Item("augmentation"), "shift", "zoom", "shear", "erase", "crop", "brightness", "contrast", "fill", "augment_p",
    Item("loss and input"), "label_smoothing", "l1", "normalize",
    Item("steps"), "warmup", "warmup_start", "clip_norm", "clip_value", "ema",
    Item("early stop"), "early_stop",
    Item("machine"), "lab.precision", "lab.compile", "lab.deterministic",
)  # fmt: skip
_LAB = {
    field.key: field
    for field in (
        FormField("lab.device", "device", "choice", "Where to train; auto takes the GPU if there is one."),
        FormField("lab.seeds", "seeds", "seeds",
              "How many seeds to train, from the seed above on, or which: 8, or 3,7,11, or 20-29. Several are a study."),
        FormField("lab.budget", "budget", "int", "Most parameters the network may have; empty: no limit.",
              1, 20_000_000, step=500, optional=True, empty="none"),
        FormField("lab.precision", "precision", "choice",
              "fp32; bf16 is coarser, faster where the chip has it; tf32: GPUs.", choices=PRECISIONS),
        FormField("lab.compile", "compile", "choice", "torch.compile; auto where it pays.", choices=COMPILE),
        FormField("lab.deterministic", "deterministic", "toggle", "The same result to the last bit in every run; slower."),
    )
}  # fmt: skip


@lru_cache(64)
def form_rows(optimizer: str, schedule: str) -> tuple[FormField | Item, ...]:
    """The rows of the form, with the settings of the chosen optimizer and schedule."""
    kinds = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}
    chosen = {"optimizer": OPTIMIZERS[optimizer], "schedule": SCHEDULES[schedule]}
    rows: list[FormField | Item] = []
    for name in LAYOUT:
        table: Any = None if isinstance(name, Item) or "." in name else Train.model_fields[name].annotation
        if isinstance(name, Item):
            rows.append(name)
        elif name in _LAB:
            rows.append(_LAB[name])
        elif name == "optimizer.lr":
            rows.append(schema_field("train.optimizer.lr", chosen["optimizer"], "lr"))
        elif name in kinds:
            head, choices = f"train.{name}.name", tuple(kinds[name])
            rows.append(schema_field(head, Train, name, kind="choice", choices=choices, pair=False))
            own = [key for key in chosen[name].model_fields if key not in ("name", "lr")]
            rows += [schema_field(f"train.{name}.{key}", chosen[name], key, group=head) for key in own]
        elif hasattr(table, "model_fields"):
            rows += [schema_field(f"train.{name}.{key}", table, key) for key in table.model_fields]
        else:
            rows.append(schema_field(f"train.{name}", Train, name, doubles=name == "batch_size", empty="off"))
    return tuple(rows)


def form_data(editor: NetworkEditor, devices: Sequence[Device]) -> FormData:
    """Fields, values and what they were, in the order of the form."""
    train = editor.preset.train
    rows: list[FormField | Item] = []
    for row in form_rows(train.optimizer.name, train.schedule.name):
        key = row.key if isinstance(row, FormField) else ""
        if key == "train.seed":
            rows.append(Item(lr_picture(editor.preset), below="train.schedule.name", style="primary"))
        if key == "lab.device" and isinstance(row, FormField):
            wanted = editor.settings[key]
            names = tuple(device.name for device in devices) or ("cpu",)
            choices = tuple(dict.fromkeys(("auto", *names, wanted)))
            rows.append(replace(row, choices=choices, names={"auto": f"auto {names[0]}"}))
            rows += _device_notes(wanted, devices)
        else:
            rows.append(row)
    fields = [row for row in rows if isinstance(row, FormField)]
    values = {field.key: editor.value(field.key) for field in fields}
    bases = {field.key: editor.base_value(field.key) for field in fields}
    summaries = {
        "train.optimizer.name": optimizer_summary(values),
        "train.schedule.name": schedule_summary(values),
    }
    return FormData(rows, values, bases, summaries)


def _device_notes(wanted: str, devices: Sequence[Device]) -> list[Item]:
    """Below the field: why it is this device, what is free on it and who else is there."""
    device = next((d for d in devices if wanted in (d.name, "auto")), None)
    if device is None:
        missing = devices and wanted not in ("auto", "cuda")
        return [Item(f"no {wanted} here", below="lab.device", style="bad")] if missing else []
    if not device.memory():
        return (
            [Item(f"{device.name}: {device.why}", below="lab.device")]
            if wanted == "auto" and device.why
            else []
        )
    notes = [device.memory(), *(f"also {name}" for name in device.others[:2])]
    if len(device.others) > 2:
        notes.append(f"and {len(device.others) - 2} more")
    return [Item(note, below="lab.device") for note in notes]


def optimizer_summary(values: dict[str, Any]) -> str:
    """The settings that matter, in a few cells: `m 0.9 wd 0.0001`."""
    out = []
    for key, word in (("momentum", "m"), ("weight_decay", "wd")):
        value = values.get(f"train.optimizer.{key}")
        if value:
            out.append(f"{word} {value_text(value)}")
    return " ".join(out)


_SCHEDULES = {
    "step": "{step_size} ×{gamma}",
    "multistep": "{milestones} ×{gamma}",
    "exponential": "×{gamma}",
    "plateau": "×{factor}",
    "cyclic": "{epochs_up} up",
    "cosine_restarts": "every {period}",
    "onecycle": "{pct_start} up",
}


def schedule_summary(values: dict[str, Any]) -> str:
    """The settings in a few cells: `7 ×.1`."""
    head = "train.schedule."
    short = {
        key.removeprefix(head): re.sub(r"^0(?=\.)", "", value_text(value)).replace(" ", "")
        for key, value in values.items()
        if key.startswith(head)
    }
    return _SCHEDULES.get(values.get(f"{head}name", ""), "").format(**short)


def lr_curve(preset: Preset, cells: int = PICTURE) -> list[float]:
    """The learning rate over the run, at most `cells` values; one an epoch where they fit."""
    train = preset.train
    images = training_images(train.dataset) - train.val_split
    steps = max(1, -(-max(1, images) // train.batch_size))
    rate = LearningRate(train, steps)
    by_step = isinstance(train.schedule, OneCycle | Cyclic) or train.warmup
    if train.epochs <= cells and not by_step:
        return rate.over_epochs()
    total = train.epochs * steps
    out = []
    for cell in range(cells):
        at = int((cell + 0.5) * total / cells)
        out.append(rate.lr_at(at // steps, at % steps))
    return out


def lr_picture(preset: Preset) -> str:
    """A line of blocks; of a plateau, which nobody can foresee, a word."""
    text = sparkline(lr_curve(preset))
    return "falls when loss stalls" if isinstance(preset.train.schedule, Plateau) else text


def lr_note(preset: Preset) -> str:
    """What the curve of the learning rate goes through: `0.019 → 0.0019`."""
    if isinstance(preset.train.schedule, Plateau):
        return "falls when the loss stalls"
    curve = lr_curve(preset, 200)
    low, high = min(curve), max(curve)
    return f"{high:.3g}" if low == high else f"{curve[0]:.3g} → {curve[-1]:.3g}"


def brief(editor: NetworkEditor) -> list[str]:
    """The preset and its parameters in two lines, for a terminal too small for the lab."""
    budget = f" of {editor.budget:,}" if editor.budget else ""
    return [
        f"tuitrain lab: {visible(editor.base.name)}",
        f"{editor.check.parameters:,} parameters{budget}",
    ]


def header_context(
    editor: NetworkEditor, devices: Sequence[Device], data_state: tuple[str, bool] | None
) -> str:
    """`MNIST ✓  cuda:0 H200 138 GB`."""
    name = editor.preset.train.dataset
    mark = ""
    if data_state is not None and data_state[0] == name:
        mark = " ✓" if data_state[1] else " ✗ not here"
    wanted = editor.settings["lab.device"]
    found = [device for device in devices if device.name == wanted] or list(
        devices if wanted == "auto" else ()
    )
    return f"{TITLES.get(name, name)}{mark}" + (f"  {found[0].short()}" if found else f"  {wanted}")
