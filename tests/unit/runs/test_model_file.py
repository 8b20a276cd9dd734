"""A trained network used elsewhere: `model.safetensors`, `load_model`, and the names in both."""

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import tuitrain
from support import ROOT
from support.training_small import CPU, stripes, tiny
from support.user_network import NET
from tuitrain.errors import CheckpointError
from tuitrain.runs import checkpoint, model_file
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.launch import prepare, prepare_resume
from tuitrain.spec.layers import layer_names
from tuitrain.spec.preset import Preset
from tuitrain.training.job import Job
from tuitrain.training.model import build
from tuitrain.training.user_network import load_user_network

LAYERS = [
    {"then": ["batchnorm"]},
    {"conv": 4, "stride": 2, "then": ["relu", "batchnorm", "dropout2d"]},
    {"maxpool": 2, "then": ["batchnorm"]},
    {"conv": 8, "kernel": 3, "then": ["relu", "batchnorm", "batchnorm"]},
    *[{"flatten": True}, {"linear": 10}],
]


def trained(folder: Path, preset: Preset, name: str = "a", **more) -> Path:
    session = prepare(Job(preset, CPU, **more), runs_dir=folder, dataset=stripes(), name=name)
    session.start()
    assert session.join(120) and session.exit_code == 0
    return folder / name / "model.safetensors"


def code_blocks() -> list[str]:
    readme = (ROOT / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", readme, re.DOTALL)


def test_the_readmes_lines_load_it_and_it_classifies_as_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = tiny(LAYERS, epochs=2)
    file = trained(tmp_path / "runs", preset, "NAME")
    monkeypatch.chdir(tmp_path)
    there = {"images": torch.from_numpy(stripes().test.images[:, None]).float()}
    by_us, plainly = code_blocks()
    exec(by_us, there)
    right = there["logits"].argmax(1).numpy() == stripes().test.labels
    about = there["network"].about
    assert about["test_accuracy"] == pytest.approx(right.mean()) and not there["network"].training
    assert about["parameters"] == preset.table().parameters and about["dataset"] == stripes().name
    assert (about["name"], about["epoch"], about["tuitrain"]) == ("tiny", 2, tuitrain.__version__)
    exec(plainly, there)
    assert there["weights"].keys() == there["network"].state_dict().keys()
    with safe_open(file, "pt") as opened:
        assert json.loads(opened.metadata()["tuitrain"]) == about


def test_names_of_weights_are_those_of_the_tables() -> None:
    preset = tiny(LAYERS)
    shown = {name.replace(" ", "_") for name in layer_names(preset.model.layers)}
    assert {row.name.replace(" ", "_") for row in preset.table().rows} <= shown
    weights = build(preset).state_dict()
    assert {re.sub(r"(_batchnorm(_2)?)?\.\w+$", "", name) for name in weights} == {
        "input", "conv1", "max_pool_after_conv1", "conv2", "linear3",
    } <= shown  # fmt: skip


EARLIER = {"conv1": "conv1", "max_pool_after_conv1": "maxpool2", "conv2": "conv3", "linear3": "linear5"}


def with_earlier_names(name: str) -> str:
    """A tensor's name as versions before gave it, which counted every layer, from 0."""
    for today, earlier in EARLIER.items():
        name = re.sub(rf"(^|\.){today}(?=[_.])", rf"\g<1>{earlier}", name)
    return name


def test_a_run_of_an_earlier_version_resumes_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuitrain.runs.launch.load_data", lambda *_: stripes())
    preset = tiny(LAYERS, epochs=2)
    whole = trained(
        tmp_path, preset.model_copy(update={"train": preset.train.model_copy(update={"epochs": 4})}), "w"
    )
    cut = trained(tmp_path, preset, "cut")
    folder = cut.parent / "checkpoints"
    for entry in checkpoint.entries(folder):
        stored = checkpoint.load_checkpoint(entry)
        entry.path.unlink()
        tensors = {with_earlier_names(name): tensor for name, tensor in stored.tensors.items()}
        assert (
            "model.conv3_batchnorm_2.weight" in tensors
            and "optimizer.linear5.bias.momentum_buffer" in tensors
        )
        checkpoint.save(folder, tensors, stored.metadata, best=entry.best)
    session = prepare_resume(RunDirectory.open(cut.parent), data_dir=None, epochs=4)
    session.start()
    assert session.join(120) and session.exit_code == 0 and session.recorder.history.epochs[-1].epoch == 4
    one, two = load_file(whole), load_file(cut)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_a_model_of_an_earlier_version_is_loaded_by_the_preset_beside_it(tmp_path: Path) -> None:
    file = trained(tmp_path, tiny(LAYERS, epochs=1))
    weights = {name: tensor.clone() for name, tensor in load_file(file).items()}  # no longer the file's pages
    file.write_bytes(checkpoint.pack({with_earlier_names(name): tensor for name, tensor in weights.items()}))
    loaded = model_file.load_model(file).state_dict()
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    (file.parent / "preset.toml").unlink()
    with pytest.raises(CheckpointError, match=r"does not say what network it is of; keep it beside"):
        model_file.load_model(file)


def test_what_can_not_be_loaded_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    own = trained(
        tmp_path, tiny(epochs=1), "own", user_network=load_user_network(f"{tmp_path / 'net.py'}:Net")
    )
    with pytest.raises(CheckpointError, match="is of a network in Python, whose code it does not hold"):
        model_file.load_model(own)
    with pytest.raises(CheckpointError, match="can't be read: No such file"):
        model_file.load_model(tmp_path / "no.safetensors")
    file = trained(tmp_path, tiny(epochs=1), "b")
    whole = file.read_bytes()
    for text in (whole[:5000], whole.replace(b'"conv1.weight', b'"conv9.weight'), b"", b"\0" * 100):
        file.write_bytes(text)
        with pytest.raises(CheckpointError, match=r"b/model\.safetensors (does not hold|can't)"):
            model_file.load_model(file)
