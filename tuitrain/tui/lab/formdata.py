"""What the lab's form shows of a preset under change. No textual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuitrain.figures import sparkline
from tuitrain.spec.describe import number
from tuitrain.spec.preset import Preset
from tuitrain.spec.schedule import LearningRate
from tuitrain.spec.train import Cyclic, OneCycle, Plateau
from tuitrain.tui.lab.editor import NetworkEditor
from tuitrain.tui.lab.fields import (
    Field,
    FormData,
    Item,
    augment_fields,
    budget_field,
    data_fields,
    device_field,
    early_fields,
    loss_fields,
    machine_fields,
    step_fields,
    train_fields,
)
from tuitrain.watch.devices import Device

PICTURE = 22  # cells of the picture of the learning rate
TITLES = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "KMNIST",
    "qmnist": "QMNIST",
    "emnist-digits": "EMNIST digits",
    "digits": "digits",
}
#: Training images of each data set, for the steps of an epoch; where they differ a little nothing is lost.
IMAGES = {"emnist-digits": 240_000, "digits": 1_500}


def form_data(editor: NetworkEditor, devices: Sequence[Device]) -> FormData:
    """Fields, values and what they were, in the order of the form."""
    train = editor.preset.train
    rows: list[Field | Item] = []
    for field in train_fields(train.optimizer.name, train.schedule.name):
        if field.key == "train.seed":
            rows.append(Item(lr_picture(editor.preset), below="train.schedule.name", style="primary"))
        rows.append(field)
    names = tuple(device.name for device in devices) or ("cpu",)
    wanted = editor.settings["lab.device"]
    rows += [device_field(names, wanted), *_device_notes(wanted, devices)]
    rows += [budget_field(), *data_fields()]
    rows += [Item("augmentation"), *augment_fields(), Item("loss and input"), *loss_fields()]
    rows += [Item("steps"), *step_fields(), Item("early stop"), *early_fields()]
    rows += [Item("machine"), *machine_fields()]
    fields = [row for row in rows if isinstance(row, Field)]
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
            out.append(f"{word} {number(value)}")
    return " ".join(out)


def schedule_summary(values: dict[str, Any]) -> str:
    """The settings in a few cells: `7 ×.1`."""

    def get(name: str) -> Any:
        return values.get(f"train.schedule.{name}")

    def short(value: Any) -> str:
        text = number(value)
        return text.removeprefix("0") if text.startswith("0.") else text

    match values.get("train.schedule.name"):
        case "step":
            return f"{get('step_size')} ×{short(get('gamma'))}"
        case "multistep":
            return f"{','.join(map(str, get('milestones') or ()))} ×{short(get('gamma'))}"
        case "exponential":
            return f"×{short(get('gamma'))}"
        case "plateau":
            return f"×{short(get('factor'))}"
        case "cyclic":
            return f"{short(get('epochs_up'))} up"
        case "cosine_restarts":
            return f"every {get('period')}"
        case "onecycle":
            return f"{short(get('pct_start'))} up"
    return ""


def lr_curve(preset: Preset, cells: int = PICTURE) -> list[float]:
    """The learning rate over the run, at most `cells` values; one an epoch where they fit."""
    train = preset.train
    images = IMAGES.get(train.dataset, 60_000) - train.val_split
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
