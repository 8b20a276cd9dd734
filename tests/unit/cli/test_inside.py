"""`tuitrain predict | mistakes | confusion | evaluate | diff | data show` on real runs of the digits."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pexpect
import pytest
from PIL import Image
from typer.testing import CliRunner

from support.digits_runs import LAYERS, digits_run
from support.runs_fake import run_to_end
from support.user_network import NET
from tuitrain.cli import console
from tuitrain.cli.root import app
from tuitrain.data.load import load_dataset
from tuitrain.data.picture import read_picture
from tuitrain.errors import DataError, PresetError, RunDirectoryError, TuitrainError, UsageError
from tuitrain.runs import inspect
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.predictions import read_predictions
from tuitrain.training.user_network import load_user_network

TEST = load_dataset("digits").test


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on the digits, and one of which nothing is kept but its log."""
    folder = tmp_path_factory.mktemp("runs")
    digits_run(folder, "good", epochs=3)
    digits_run(folder, "wide", layers=[LAYERS[0] | {"conv": 12}, *LAYERS[1:]])
    run_to_end(RunDirectory.create(folder, "fake", name="bare"), epochs=2)
    for path in (folder / "bare" / inspect.FILE, folder / "bare" / "model.safetensors"):
        path.unlink()
    for path in (folder / "bare" / "checkpoints").iterdir():
        path.unlink()
    return folder


def run(runs: Path, *arguments: str, width: int = 100) -> str:
    console.stdout.cache_clear()
    env = {"COLUMNS": str(width), "TUITRAIN_RUNS_DIR": str(runs)}
    result = CliRunner().invoke(app, list(arguments), env=env, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout
    assert max(map(len, result.stdout.splitlines()), default=0) <= width or "--json" in arguments
    return result.stdout


def refused(runs: Path, kind: type[TuitrainError], *arguments: str) -> str:
    with pytest.raises(kind) as caught:
        run(runs, *arguments)
    text = str(caught.value)
    assert "\n" not in text and len(text) > 20
    return text


def test_what_is_predicted_of_a_judged_image_is_what_the_run_predicted(runs: Path) -> None:
    kept = read_predictions(runs / "good")
    assert kept is not None
    for index in (0, 7, len(TEST) - 1):
        shown = json.loads(run(runs, "predict", "good", "--index", str(index), "--json"))
        assert (shown["predicted"], shown["actual"]) == (kept.predictions[index], TEST.labels[index])
        assert shown["probabilities"][shown["predicted"]] == pytest.approx(
            float(kept.confidences[index]), abs=1e-5
        )
        assert sum(shown["probabilities"]) == pytest.approx(1)
    text = run(runs, "predict", "good", "--index", "7")
    assert f"test image 7 of digits: {kept.predictions[7]}, {kept.confidences[7] * 100:.2f} %" in text
    assert text.count("█") > 3 and "after epoch 3" in text and "@" in text  # the digit, in characters
    assert 0 <= json.loads(run(runs, "predict", "good", "--random", "--json"))["index"] < len(TEST)


def test_the_maps_of_each_layer(runs: Path) -> None:
    kept = read_predictions(runs / "good")
    assert kept is not None
    shown = json.loads(run(runs, "activations", "good", "--index", "7", "--json"))
    assert (shown["index"], shown["predicted"], shown["actual"]) == (7, kept.predictions[7], TEST.labels[7])
    assert [(layer["name"], layer["shape"]) for layer in shown["layers"]] == [
        ("conv1", [8, 8, 8]), ("linear2", [10, 1, 1]),
    ]  # fmt: skip
    logits = np.array(shown["layers"][1]["maps"]).ravel()
    assert logits.argmax() == shown["predicted"] and shown["layers"][1]["highest"] == logits.max()
    text = run(runs, "activations", "good", "-i", "7", width=80)
    assert (
        "conv1  8 maps of 8×8, from" in text
        and "linear2  10 values" in text
        and f"taken for {kept.predictions[7]}" in text
    )
    alone = run(runs, "activations", "good", "--layer", "linear2")
    assert "conv1" not in alone and "test image 0 of digits" in alone
    assert "this network has conv1, linear2" in refused(
        runs, UsageError, "activations", "good", "-l", "conv9"
    )
    assert "0 to 296" in refused(runs, UsageError, "activations", "good", "--index", "297")
    refused(runs, UsageError, "activations", "good", "--index", "1", "--random")
    assert "has kept no network" in refused(runs, RunDirectoryError, "activations", "bare")


def test_without_a_model_file_the_newest_whole_checkpoint_is_asked(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(runs / "good", copy)
    asked = ("predict", str(copy), "--index", "7", "--json")
    whole = json.loads(run(runs, *asked))
    (copy / "model.safetensors").unlink()  # as in a run that still goes on, or was killed
    assert json.loads(run(runs, *asked)) == whole and whole["epoch"] == 3
    newest = max((copy / "checkpoints").iterdir(), key=lambda path: path.name)
    newest.write_bytes(newest.read_bytes()[:-1])
    assert json.loads(run(runs, *asked))["epoch"] == 2


def test_a_picture_of_any_kind_is_brought_into_form(runs: Path, tmp_path: Path) -> None:
    ink = Image.fromarray(TEST.images[3]).resize((140, 140))
    paper = Image.new("RGB", (500, 300), (250, 240, 230))
    paper.paste(Image.new("RGB", (140, 140), (40, 30, 90)), (300, 100), ink)
    clear = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    clear.paste(Image.new("RGBA", (140, 140), (0, 0, 0, 255)), (20, 30), ink)
    deep = Image.fromarray(np.pad(np.asarray(ink).astype(np.uint16) * 257, 30))
    found = {}
    light = 190 + 40 * np.linspace(0, 1, 500)[None] - 30 * np.linspace(0, 1, 300)[:, None]
    drawn = np.pad(np.asarray(ink), ((100, 60), (300, 60))) / 255
    photo = light * (1 - 0.7 * drawn) + np.random.default_rng(0).normal(0, 5, drawn.shape)
    photo = Image.fromarray(photo.clip(0, 255).astype(np.uint8))
    for name, picture in (
        ("paper.jpg", paper), ("clear.png", clear), ("deep.png", deep), ("few.gif", paper), ("photo.png", photo),
    ):  # fmt: skip
        picture.save(tmp_path / name)
        found[name] = read_picture(tmp_path / name)
    for name, picture in found.items():
        image = picture.image.astype(float)
        rows, columns = np.flatnonzero(image.max(1)), np.flatnonzero(image.max(0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20), name  # in MNIST's box
        mass = [(image.sum(axis) * (np.arange(28) + 0.5)).sum() / image.sum() for axis in (1, 0)]
        assert mass == pytest.approx([14, 14], abs=0.6), name
        assert np.corrcoef(image.ravel(), found["deep.png"].image.ravel())[0, 1] > 0.97, name
    assert [
        word in " ".join(found["paper.jpg"].done)
        for word in ("grey", "inverted", "cropped", "resized", "centre")
    ] == [True] * 5
    assert "transparent parts made white" in found["clear.png"].done[0]
    # Digits of scikit-learn fill their image: no box of 20 for a network that saw them.
    assert np.ptp(np.flatnonzero(read_picture(tmp_path / "paper.jpg", "digits").image.max(1))) >= 26
    shown = json.loads(run(runs, "predict", "good", str(tmp_path / "clear.png"), "--json"))
    assert shown["actual"] is None and shown["done"]
    assert "what was done to it: " in run(runs, "predict", "good", str(tmp_path / "few.gif"))
    Image.fromarray(255 - TEST.images[3]).save(tmp_path / "same.png")
    same = read_picture(tmp_path / "same.png")
    assert np.array_equal(same.image, TEST.images[3]) and len(same.done) == 2


def test_what_is_no_picture_is_refused(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("L", (200, 200), 200).save(tmp_path / "empty.png")
    Image.new("L", (1, 1), 9).save(tmp_path / "dot.png")
    Image.new("1", (20_000, 30)).save(tmp_path / "wide.png")
    Image.new("1", (12_000, 12_000)).save(tmp_path / "huge.png")
    whole = io.BytesIO()
    Image.fromarray(TEST.images[0]).resize((300, 300)).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:900])
    for name, words in (
        ("text.png", "no picture that can be read"), ("empty.png", "shows nothing"),
        ("dot.png", "shows nothing"), ("wide.png", "20,000×30 pixels"),
        ("huge.png", "12,000×12,000 pixels"), ("cut.png", "can't be read as a picture"), ("none.png", "does not exist"),
        (".", "is no file"),
    ):  # fmt: skip
        assert words in refused(runs, DataError, "predict", "good", str(tmp_path / name)), name
    assert "0 to 296" in refused(runs, UsageError, "predict", "good", "--index", "297")
    assert "0 to 296" in refused(runs, UsageError, "predict", "good", "--index", "-1")
    refused(runs, UsageError, "predict", "good")
    refused(runs, UsageError, "predict", "good", "--random", "--index", "1")
    assert "has kept no network" in refused(runs, RunDirectoryError, "predict", "bare", "--random")


def test_the_mistakes_that_were_kept(runs: Path) -> None:
    kept = read_predictions(runs / "good")
    assert kept is not None and 3 < (~kept.right).sum() < 150
    shown = json.loads(run(runs, "mistakes", "good", "--json", "--limit", "1000"))
    assert (
        shown["wrong"]
        == len(shown["mistakes"])
        == (~kept.right).sum()
        == sum(p["count"] for p in shown["pairs"])
    )
    confidences = [one["confidence"] for one in shown["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(
        kept.predictions[one["index"]] == one["predicted"] != one["actual"] for one in shown["mistakes"]
    )
    first = shown["pairs"][0]
    pair = f"{first['actual']},{first['predicted']}"
    of_pair = json.loads(run(runs, "mistakes", "good", "--pair", pair, "--json"))["mistakes"]
    assert len(of_pair) >= first["count"]
    assert {frozenset((one["actual"], one["predicted"])) for one in of_pair} == {
        frozenset(map(int, pair.split(",")))
    }
    text = run(runs, "mistakes", "good", "-n", "2", width=80)
    assert text.count("image ") == 2 and f"2 of {shown['wrong']}" in text and "most often: " in text
    for bad in ("4", "4,4", "4,10", "a,b", "1,2,3"):
        refused(runs, UsageError, "mistakes", "good", "--pair", bad)
    assert "has not kept its predictions" in refused(runs, RunDirectoryError, "mistakes", "bare")


def test_the_hardest_training_images(runs: Path) -> None:
    shown = json.loads(run(runs, "mistakes", "good", "--train", "--json", "-n", "30"))
    losses = [one["loss"] for one in shown["hardest"]]
    assert (
        len(losses) == 30 and losses == sorted(losses, reverse=True) and losses[-1] > shown["mean_loss"] > 0
    )
    assert shown["images"] == 1500 and shown["hardest"][0]["predicted"] != shown["hardest"][0]["actual"]
    assert f"loss {losses[0]:.2f}" in run(runs, "mistakes", "good", "--train", "-n", "3", width=80)
    refused(runs, UsageError, "mistakes", "good", "--train", "--best")


def test_the_confusion_matrix_needs_no_training(runs: Path) -> None:
    kept, best = read_predictions(runs / "good"), read_predictions(runs / "good", "best")
    assert kept is not None and best is not None
    shown = json.loads(run(runs, "confusion", "good", "--json"))
    assert np.array_equal(shown["confusion"], kept.confusion) and shown["accuracy"] == kept.right.mean()
    assert json.loads(run(runs, "confusion", "good", "--best", "--json"))["epoch"] == best.epoch
    rows = list(csv.DictReader(io.StringIO(run(runs, "confusion", "good", "--csv"))))
    assert [int(rows[4][str(j)]) for j in range(10)] == kept.confusion[4].tolist()
    assert float(rows[4]["accuracy"]) == pytest.approx(kept.class_accuracy[4], abs=1e-5)
    text = run(runs, "confusion", "good", width=80)
    assert f"{(~kept.right).sum()} of 297 wrong" in text and f"{kept.class_accuracy[4] * 100:.2f}" in text
    refused(runs, UsageError, "confusion", "good", "--csv", "--json")
    log = runs / "bare" / "events.jsonl"
    assert History.of(RunDirectory.open(log.parent).events()).epochs  # it has epochs, but no predictions
    refused(runs, RunDirectoryError, "confusion", "bare")


def test_robustness_of_several_runs(runs: Path) -> None:
    kept = {name: read_predictions(runs / name) for name in ("good", "wide")}
    asked = ("evaluate", "good", "wide", "good", "--rotation", "90", "--shift", "3", "--noise", "0.5")
    found = json.loads(run(runs, *asked, "--json"))["runs"]
    assert [one["run"] for one in found] == ["good", "wide"]  # each once
    for one in found:
        predictions = kept[one["run"]]
        assert predictions is not None and one["accuracy"] == predictions.right.mean()
        assert (one["images"], one["dataset"], one["judged_by"]) == (297, "digits", "test")
        levels = {kind: curve["levels"] for kind, curve in one["curves"].items()}
        assert levels["rotation"] == [0, 18, 36, 54, 72, 90] and levels["shift"] == [0, 1, 2, 3]
        for curve in one["curves"].values():
            assert curve["accuracy"][0] == one["accuracy"] and curve["loss"][0] == one["loss"]
            assert curve["accuracy"][-1] < one["accuracy"] and curve["loss"][-1] > one["loss"]
    assert found == json.loads(run(runs, *asked, "--json"))["runs"]  # the same noise every time
    text = run(runs, *asked, width=80)
    last = found[1]["curves"]["shift"]["accuracy"][-1]
    assert f"{last * 100:.2f}" in text and text.count("┤") >= 6 and "B  wide" in text and "⠒" in text
    for bad in (
        ("--rotation", "0"),
        ("--rotation", "181"),
        ("--shift", "29"),
        ("--noise", "-1"),
        ("--noise", "nan"),
    ):
        refused(runs, UsageError, "evaluate", "good", *bad)
    refused(runs, UsageError, "evaluate", "good", "--dataset", "mnits")
    refused(runs, RunDirectoryError, "evaluate", "good", "bare")


def test_two_presets_layer_by_layer(runs: Path) -> None:
    found = json.loads(run(runs, "diff", "step10", "step11", "--json"))
    assert (found["a"]["parameters"], found["b"]["parameters"], found["settings"]) == (5854, 6254, [])
    changed = [one for one in found["layers"] if one["status"] != "same"]
    assert [one["changes"] for one in changed] == [[{"setting": "width", "a": "10", "b": "12"}]]
    assert (changed[0]["a"]["parameters"], changed[0]["b"]["parameters"]) == (920, 1104)
    text = run(runs, "diff", "step10", "step11", width=80)
    assert " ~ conv2 3×3 →10" in text and "920 → 1,104" in text and "+400 parameters" in text
    assert "all settings are the same" in text
    same = run(runs, "diff", "step10", "step13", width=80)
    assert "the networks are the same" in same
    changed = json.loads(run(runs, "diff", "step13", "step13+dropout=0.05+train.batch_size=32", "--json"))
    assert [(one["key"], one["b"]) for one in changed["settings"]] == [
        ("train.batch_size", 32),
        ("train.dropout", 0.05),
    ]
    assert changed["b"]["name"] == "step13+dropout=0.05+train.batch_size=32"
    assert "train.dropot" in refused(runs, PresetError, "diff", "step13", "step13+dropot=0.05")
    far = json.loads(run(runs, "diff", "step13", "mlp", "--json"))
    statuses = [one["status"] for one in far["layers"]]
    assert statuses == ["removed"] * 9 + ["added"] * 3
    assert {"key": "train.optimizer.lr", "a": 0.019, "b": 0.003} in far["settings"]
    # Each side adds up, whatever was paired with what.
    for side in ("a", "b"):
        assert sum(one[side]["parameters"] for one in far["layers"] if one[side]) == far[side]["parameters"]


def test_two_runs_layer_by_layer(runs: Path) -> None:
    text = run(runs, "diff", "good", "wide", width=80)
    assert "conv1 5×5 →8" in text and "conv1 5×5 →12" in text and "epochs" in text
    assert "no preset or run 'stp10'; did you mean 'step10'?" in refused(
        runs, PresetError, "diff", "stp10", "good"
    )
    refused(runs, PresetError, "diff", "good", "nothing-of-the-kind")


def test_a_network_in_python_can_only_be_asked_for_what_it_said(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    own = load_user_network(f"{tmp_path / 'net.py'}:Net")
    digits_run(runs, "own", user_network=own, epochs=1)
    for command in (
        ("predict", "own", "--random"),
        ("activations", "own"),
        ("mistakes", "own", "--train"),
        ("evaluate", "own"),
    ):
        assert "trained a network in Python" in refused(runs, RunDirectoryError, *command)
    assert "trained a network in Python" in refused(runs, UsageError, "diff", "own", "step13")
    assert json.loads(run(runs, "confusion", "own", "--json"))["epoch"] == 1


def test_a_data_set_is_seen_as_it_is_and_as_it_is_trained_on(runs: Path) -> None:
    asked = ("data", "show", "--dataset", "digits", "-n", "12")
    plain = run(runs, *asked, width=80)
    assert "1,500" in plain and "12 training images as stored" in plain and "the same as" not in plain
    assert plain.count("\n 0 ") >= 1 and plain.count("@") > 50
    turned = run(runs, *asked, "--preset", "step13", width=80)
    assert (
        turned.startswith(plain[:200]) and "the same as step13 trains on them: rotation up to ±5°" in turned
    )
    assert turned.count("°") == 1 + 12 and turned == run(runs, *asked, "--preset", "step13", width=80)
    assert "of class 7" in run(runs, *asked, "--class", "7", width=80)
    assert run(runs, *asked, "--draw", "1", width=80) != plain
    found = json.loads(run(runs, *asked, "--preset", "step13", "--json"))
    stored, augmented = (np.array([one[key] for one in found["images"]]) for key in ("stored", "augmented"))
    assert found["train"]["images"] == 1500 and stored.shape == (12, 28, 28) and (stored != augmented).any()
    assert found["images"][0]["change"].endswith("°")
    plain_images = json.loads(run(runs, *asked, "--json"))["images"]
    assert plain_images[0] == found["images"][0] | {"augmented": None, "change": ""}


@pytest.mark.slow
def test_on_a_terminal_with_colours_images_are_half_blocks(runs: Path) -> None:
    command = [sys.executable, "-m", "tuitrain", "mistakes", "good", "-n", "3"]
    env = {**os.environ, "TUITRAIN_RUNS_DIR": str(runs), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    shown = {}
    for name, extra in (("colours", {}), ("none", {"NO_COLOR": "1"})):
        child = pexpect.spawn(
            command[0], command[1:], env=env | extra, dimensions=(50, 80), encoding="utf-8", timeout=60
        )
        child.expect(pexpect.EOF)
        shown[name] = child.before
        child.close()
        assert child.exitstatus == 0
    assert "▀" in shown["colours"] and "38;2;" in shown["colours"]
    assert "▀" not in shown["none"] and "@" in shown["none"] and "38;" not in shown["none"]
