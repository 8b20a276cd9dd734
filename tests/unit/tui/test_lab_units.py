"""The lab's parts that need no screen: fields, words, pictures, devices, what is known of presets."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.style import Style

from tuitrain import nvml
from tuitrain.figures import short_count_text, sparkline
from tuitrain.runs import index
from tuitrain.spec.choices import SCHEDULES
from tuitrain.spec.describe import preset_changes, value_text
from tuitrain.spec.layers import LAYERS, Conv
from tuitrain.spec.preset import flattened, override
from tuitrain.spec.preset_files import builtin_dir, load_preset
from tuitrain.tui.lab.parts import gauge
from tuitrain.tui.paint.bars import bar
from tuitrain.tui.paint.digits import DARKEST, LEVELS, digit, middle, smaller
from tuitrain.tui.paint.text import cells, wrap
from tuitrain.watch import devices
from tuitrain.workbench.editor import NetworkEditor
from tuitrain.workbench.fields import FormData, FormField, arithmetic, schema_field
from tuitrain.workbench.formdata import form_data, form_rows, lr_curve, lr_note, lr_picture
from tuitrain.workbench.layerform import layer_data
from tuitrain.workbench.library import best_here, ordered, read_all, story, with_best
from tuitrain.workbench.lineedit import LineEdit
from tuitrain.workbench.new_layer import like_neighbours


def field(key: str, optimizer: str = "sgd", schedule: str = "step") -> FormField:
    return next(f for f in form_rows(optimizer, schedule) if isinstance(f, FormField) and f.key == key)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.dropout", "0.0345", 0.0345),
        ("train.dropout", " .5 ", 0.5),
        ("train.dropout", "0.069/2", 0.0345),
        ("train.optimizer.lr", "1e-3", 0.001),
        ("train.batch_size", "64*2", 128),
        ("train.rotation", "7", 7.0),
        ("train.rotation", "-7, 3", [-7.0, 3.0]),
        ("train.batch_size", "1_024", 1024),
        ("train.batch_size", "1,024", 1024),
        ("train.seed", "9223372036854775807", 2**63 - 1),
    ],
)
def test_what_a_field_takes(key: str, text: str, value: object) -> None:
    parsed = field(key).parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("train.dropout", "1", "must be below 1"),
        ("train.dropout", "-0.1", "must be at least 0"),
        ("train.dropout", "inf", "must be finite"),
        ("train.dropout", "1/0", "not a number"),
        ("train.dropout", "__import__('os')", "not a number"),
        ("train.optimizer.lr", "0", "must be above 0"),
        ("train.rotation", "-7", "must be at least 0"),
        ("train.rotation", "3, -7", "the smaller first"),
        ("train.rotation", "-181, 3", "must be at least -180"),
        ("train.rotation", "1, 2, 3", "from, to"),
        ("train.batch_size", "0", "must be at least 1"),
        ("train.batch_size", "6.5", "whole numbers only"),
        ("train.batch_size", "99999", "must be at most 65,536"),
        ("train.epochs", "", "type a number"),
        ("train.seed", "9223372036854775808", "must be at most"),
    ],
)
def test_what_a_field_refuses_and_why(key: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        field(key).parse(text)


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if kind != "input"])
def test_every_setting_of_a_layer_is_in_its_form_with_its_help(kind: str) -> None:
    editor = NetworkEditor(load_preset("step13"))
    editor.insert(2, like_neighbours(editor, 2, kind))
    fields = {row.key: row for row in layer_data(editor, 2).rows if isinstance(row, FormField)}
    if kind not in ("flatten", "global_avgpool"):
        assert set(LAYERS[kind].model_fields) - {"then"} <= set(fields)
    assert all(row.help for row in fields.values())


def test_lists_are_typed_with_commas() -> None:
    milestones = field("train.schedule.milestones", schedule="multistep")
    assert milestones.parse("5, 10") == [5, 10]
    with pytest.raises(ValueError, match="ascending"):
        milestones.parse("10, 5")
    betas = field("train.optimizer.betas", optimizer="adam")
    assert betas.parse("0.9,0.99") == [0.9, 0.99]
    with pytest.raises(ValueError, match="2 numbers"):
        betas.parse("0.9")


def test_steps_up_and_down_stay_in_range() -> None:
    batch = field("train.batch_size")
    assert (batch.nudge(64, 1), batch.nudge(64, -1), batch.nudge(1, -1)) == (128, 32, 1)
    assert batch.nudge(65_536, 1) == 65_536
    assert field("train.rotation").nudge(0.0, -1) == 0.0
    assert field("train.optimizer.lr").nudge(0.019, 1) == 0.02
    assert field("train.dropout").nudge(0.995, 1) == 0.995
    assert schema_field("kernel", Conv, "kernel").range_text() == "from 1 to 64"


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2.0), ("1/4", 0.25), ("2*3", 6.0), ("1+1", None), ("", None), ("1/0", None)]
)
def test_arithmetic(text: str, value: float | None) -> None:
    assert arithmetic(text) == value


def test_every_value_of_the_form_is_shown_as_it_can_be_typed() -> None:
    for name in ("step13", "mlp", "net8", "twelvek"):
        data: FormData = form_data(NetworkEditor(load_preset(name)), [])
        for row in data.rows:
            if isinstance(row, FormField) and row.typed and data.values[row.key] is not None:
                assert row.parse(row.show(data.values[row.key])) == data.values[row.key]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_key_of_the_training_is_in_the_form_with_its_help(schedule: str) -> None:
    table = {"name": schedule, **({"milestones": [3]} if schedule == "multistep" else {})}
    changes = {"train.schedule": table, "train.rotation": [-7.0, 3.0], "train.warmup": 2}
    editor = NetworkEditor(override(load_preset("step13"), changes))
    data = form_data(editor, [])
    fields = {row.key: row for row in data.rows if isinstance(row, FormField)}
    assert set(flattened(editor.preset.to_dict()["train"], "train")) <= set(fields)
    assert all(row.help for row in fields.values())
    rotation = fields["train.rotation"]
    assert rotation.parse(rotation.show(data.values["train.rotation"])) == [-7.0, 3.0]
    assert rotation.nudge([-7.0, 3.0], 1) == [-7.0, 3.0]


def test_changes_in_words() -> None:
    base = load_preset("step13")
    words = {"train.augment_p.rotation": 0.5, "train.early_stop.patience": 3, "train.warmup": 2}
    assert [str(change) for change in preset_changes(base, override(base, words))] == [
        "rotation probability 1.0 → 0.5", "warmup 0 → 2", "early stop: patience 0 → 3",
    ]  # fmt: skip
    now = override(
        base, {"train.rotation": 7.0, "model.layers[1].conv": 11, "model.layers[0].then": ["gelu"]}
    )
    assert [str(change) for change in preset_changes(base, now)] == [
        "rotation 5.0 → 7.0",
        "conv1 then relu bn drop2 → gelu",
        "conv2 10 → 11",
    ]
    editor = NetworkEditor(base)
    editor.insert(3, {"conv": 12, "kernel": 1})
    editor.delete(6)
    assert [str(change) for change in preset_changes(base, editor.preset)] == [
        "+ conv3",
        "− max pool after conv4",
    ]
    assert preset_changes(base, base) == []


def test_the_picture_of_the_learning_rate() -> None:
    preset = load_preset("step13")
    assert lr_picture(preset) == "███████▂▂▂▂▂▂▂"
    assert lr_note(preset) == "0.019 → 0.0019"
    cosine = override(preset, {"train.schedule": {"name": "cosine"}})
    assert lr_curve(cosine) == sorted(lr_curve(cosine), reverse=True)
    cycle = lr_curve(override(preset, {"train.schedule": {"name": "onecycle"}}), 40)
    assert len(cycle) == 40 and 0 < cycle.index(max(cycle)) < 20
    long = override(preset, {"train.epochs": 10_000})
    assert len(lr_picture(long)) == 22
    assert sparkline([0.0, 0.0]) == "▁▁"


def test_the_gauge_turns_amber_and_red() -> None:
    styles = {
        parameters: {style for text, style in gauge(parameters, 6000, 60) if "▰" in text}
        for parameters in (3000, 5399, 5400, 6000, 6001)
    }
    assert styles == {3000: {"good"}, 5399: {"good"}, 5400: {"warn"}, 6000: {"warn"}, 6001: {"bad"}}
    over = "".join(text for text, _ in gauge(6054, 6000, 60))
    assert "6,054 of 6,000" in over and "✗ 54 over" in over
    assert "".join(text for text, _ in gauge(5854, None, 60)) == "5,854 parameters"


def test_bars_and_short_counts() -> None:
    assert [bar(share, 4) for share in (0, 0.001, 0.5, 1)] == ["", "▏", "██", "████"]
    assert [short_count_text(v) for v in (0, 999, 1000, 70_560, 1_283_400)] == [
        "0", "999", "1.00 k", "70.6 k", "1.28 M",
    ]  # fmt: skip
    assert [value_text(v) for v in (0.1, 5.0, 1e-8, 3, True, None, [0.9, 0.999])] == [
        "0.1", "5.0", "1e-08", "3", "on", "–", "0.9, 0.999",
    ]  # fmt: skip


def test_a_digit_holds_every_pixel() -> None:
    image = np.array([[(x * 9 + y * 5) % 256 for x in range(28)] for y in range(28)], np.uint8)
    for ink, back in (("light", False), ("dark", True)):
        rows = digit(image, ink)  # type: ignore[arg-type]
        assert len(rows) == 14
        for y, row in enumerate(rows):
            cells = [style for text, style in row for _ in text]
            assert len(cells) == 28
            for x, style in enumerate(cells):
                assert isinstance(style, Style) and style.color and style.bgcolor
                for colour, line in ((style.color, 2 * y), (style.bgcolor, 2 * y + 1)):
                    level = round((colour.get_truecolor().red - DARKEST) / (255 - DARKEST) * (LEVELS - 1))
                    assert level == (LEVELS - 1 - image[line, x] // 32 if back else image[line, x] // 32)
    assert smaller(image, 2).shape == (14, 14)
    assert middle(image, 24)[0, 0] == image[2, 2]
    assert digit(np.array([[0, 255], [0, 255]], np.uint8), "plain") == [((" @", ""),)]
    assert len(digit(image[:5], "plain")) == 3


def test_wrapping_never_loses_a_letter() -> None:
    text = "conv2: conv 31×31 reaches over its_input_has_shrunk_to_28×28"
    lines = wrap(((f"  {text[:9]}", "bold"), (text[9:], "")), 12, 2)
    assert "".join(piece for line in lines for piece, _ in line).replace(" ", "") == text.replace(" ", "")
    assert all(cells(line) <= 12 and line[0][0].startswith("  ") for line in lines)
    fits = wrap((("on EPYC, 2 cores", ""),), 10)  # as wide as the line without the space behind it
    assert ["".join(piece for piece, _ in line) for line in fits] == ["on EPYC, 2", "cores"]


def test_presets_with_story_order_and_search() -> None:
    items = read_all()
    builtin = {entry.name: entry for entry in items if entry.origin == "built-in"}
    assert len(builtin) == len(list(builtin_dir().glob("*/*.toml")))
    assert builtin["step13"].parameters == 5854 and builtin["step13"].claim == 99.4
    assert [head for head, _ in story(builtin["step13"])][:3] == ["since step12", "aim", "outcome"]
    assert ordered(items, "parameters")[0].parameters == min(e.parameters or 10**9 for e in items)
    assert builtin["step13"].matches("STEP13 era") and not builtin["step13"].matches("net8")


@dataclass
class _Run:
    preset: str
    best: float | None
    changed: dict[str, list[object]]


def test_best_here_counts_only_unchanged_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = [
        _Run("step13", 0.9931, {}),
        _Run("step13", 0.9941, {"train.seed": [0, 3]}),
        _Run("step13", 0.9960, {"train.dropout": [0.069, 0.0]}),
        _Run("step1", None, {}),
    ]
    monkeypatch.setattr(index, "list_runs", lambda folder: runs)
    best = best_here(tmp_path)
    assert best == {"step13": pytest.approx(99.41)}
    item = next(entry for entry in with_best(read_all(), best) if entry.name == "step13")
    assert ("best here", "99.41 %") in story(item)


def _nvml(monkeypatch: pytest.MonkeyPatch, pids: list[int]) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # the one that is here may see no GPU
    gib = 2**30
    fake = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetHandleByUUID=lambda name: {"GPU-b": 1}[name],
        nvmlDeviceGetName=lambda handle: ["NVIDIA H200", "NVIDIA GeForce RTX 4090"][handle],
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(
            free=[138, 20][handle] * gib, total=[140, 24][handle] * gib
        ),
        nvmlDeviceGetComputeRunningProcesses=lambda handle: [
            SimpleNamespace(pid=pid, usedGpuMemory=2 * gib) for pid in pids
        ],
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    names = {1: ("python", "ana")}
    monkeypatch.setattr(
        nvml, "_process", lambda pid, size: nvml.OtherProcess(pid, *names.get(pid, ("", "")), size)
    )


def test_each_gpu_with_what_is_free_and_who_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _nvml(monkeypatch, [os.getpid(), 1, 77])
    first, second, processor = devices.devices()[:2] + devices.devices()[-1:]
    assert first.short() == "cuda:0 H200 138 GB"
    assert first.others == ("python of ana 2.0 GB", "process 77 2.0 GB")
    assert second.short() == "cuda:1 RTX 4090 20 GB"
    assert processor.name == "cpu"
    assert "138 of 140 GB free" in first.long() and "python of ana" in first.long()


def test_only_the_gpus_that_torch_would_see(monkeypatch: pytest.MonkeyPatch) -> None:
    _nvml(monkeypatch, [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    found = [device for device in devices.devices() if device.name.startswith("cuda")]
    assert [(device.name, device.what) for device in found] == [("cuda:0", "NVIDIA GeForce RTX 4090")]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not [device for device in devices.devices() if device.name.startswith("cuda")]


def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("no driver")

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(nvmlInit=refuse))
    assert [device.name for device in devices.devices() if device.name != "mps"] == ["cpu"]


def test_editing_a_line() -> None:
    line = LineEdit("k", "0.069", 5, 0.069)
    for key in ("left", "left", "backspace"):
        assert line.press(key, None)
    line.insert("1")
    assert (line.text, line.caret) == ("0.169", 3)
    assert line.press("end", None) and line.press("5", "5") and line.text == "0.1695"
    assert line.press("home", None) and line.press("delete", None) and line.text == ".1695"
    assert line.press("right", None) and line.press("ctrl+k", None) and line.text == "."
    assert line.press("ctrl+u", None) and (line.text, line.caret) == ("", 0)
    assert not line.press("up", None)
    line.insert("9" * 100)
    assert len(line.text) == 64
    assert line.window(10) == ("9" * 8, " ", "")
    assert sum(map(len, line.window(10))) <= 10
