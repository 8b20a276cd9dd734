"""`tuitrain run` as a user runs it: a process of its own, on the built-in digits."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support import warm
from tuitrain.errors import ExitCode

TINY = '[model]\nlayers = [{ conv = 4, stride = 2, then = ["relu"] }, { conv = 10, stride = 2 }, { global_avgpool = true }]\n'


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose folders are all below tmp_path, with no data."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TUITRAIN_", "XDG_"))}
    return kept | {
        "XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TUITRAIN_RUNS_DIR": str(tmp_path / "runs"), "COLUMNS": "100", "TUITRAIN_THREADS": "1",
    }  # fmt: skip


def tuitrain(home: dict[str, str], *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return warm.run(*arguments, env=home, **options)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


def test_a_run_leaves_a_complete_directory_and_json_on_stdout(home, tiny) -> None:
    command = [
        sys.executable,
        "-m",
        "tuitrain",
        "run",
        "--preset",
        tiny,
        "--dataset",
        "digits",
        "--lr",
        "0.1",
    ]
    done = subprocess.run(  # the one here that has to import everything itself
        [*command, "--epochs", "2", "--json"], env=home, text=True, capture_output=True, stdin=subprocess.DEVNULL
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) >= {
        "run", "directory", "preset", "dataset", "device", "seed", "outcome", "parameters", "budget", "epochs",
        "best_test_accuracy", "best_epoch", "last_test_accuracy", "last_train_accuracy", "last_test_loss",
        "epochs_at_target", "seconds", "images_per_s", "challenge", "command",
    }  # fmt: skip
    assert (result["preset"], result["dataset"], result["outcome"], result["epochs"]) == (
        "tiny",
        "digits",
        "completed",
        2,
    )
    folder = Path(result["directory"])
    for name in ("preset.toml", "events.jsonl", "log.txt", "summary.txt", "metrics.csv", "model.safetensors",
                 "report.md", "accuracy.svg", "loss.svg", "confusion.svg", "mistakes.svg", "network.svg"):  # fmt: skip
        assert (folder / name).stat().st_size > 0, name
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    assert len(list((folder / "checkpoints").glob("*.safetensors"))) in (2, 3)
    assert "Test set: Average loss:" in (folder / "log.txt").read_text()
    assert "Trainable params" in (folder / "summary.txt").read_text()
    assert not (folder / "progress.json").exists()


def test_the_repeating_command_gives_the_same_weights(home, tiny) -> None:
    first = json.loads(
        tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "2", "--dropout", "0.2", "--json").stdout
    )
    import shlex

    again = tuitrain(home, *shlex.split(first["command"])[1:], "--json")
    second = json.loads(again.stdout)
    assert first["model_sha256"] == second["model_sha256"]
    assert first["run"] != second["run"]


def test_a_run_ends_early_says_so_repeats_and_is_made_longer(home, tiny) -> None:
    done = tuitrain(
        home, "run", "--preset", tiny, "--dataset", "digits", "--epochs", "5", "--rotation=-7,3",
        "--target-epochs", "2", "--target-accuracy", "1", "--set", "augment_p.rotation=0.5", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["outcome"], result["stopped_early"], result["epochs"]) == ("completed", "target", 2)
    assert result["message"] == "stopped early: 1 % was reached in 2 epochs in a row"
    assert result["message"] in done.stderr
    assert result["message"] in (Path(result["directory"]) / "log.txt").read_text()
    again = json.loads(tuitrain(home, *shlex.split(result["command"])[1:], "--json").stdout)
    assert (again["model_sha256"], again["stopped_early"]) == (result["model_sha256"], "target")
    assert tuitrain(home, "resume", result["run"]).returncode == ExitCode.RUN_DIRECTORY
    longer = json.loads(tuitrain(home, "resume", result["run"], "--epochs", "3", "--json").stdout)
    assert (longer["outcome"], longer["stopped_early"], longer["epochs"]) == ("completed", None, 3)


def test_lines_where_there_is_no_terminal(home, tiny) -> None:
    done = tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "2")
    lines = done.stderr.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert "\r" not in done.stderr and "\x1b" not in done.stderr
    assert done.stdout.strip().startswith(home["TUITRAIN_RUNS_DIR"])
    assert any(line.startswith("repeat  tuitrain run ") for line in lines)


def test_events_are_json_lines_on_stdout(home, tiny) -> None:
    done = tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "1", "--events")
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events[0] == "RunStarted" and events[-1] == "RunFinished" and "EpochFinished" in events


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--preset", "step31"], ExitCode.USAGE, "no preset 'step31'; did you mean 'step13'?"),
        (["--lr", "nan"], ExitCode.USAGE, "--lr is nan; use a finite number."),
        (["--batch-size", "-4"], ExitCode.USAGE, "--batch-size is -4; use 1 or more."),
        (["--dropout", "1.5"], ExitCode.USAGE, "--dropout is 1.5; use a number below 1."),
        (["--dataset", "mnits"], ExitCode.USAGE, "--dataset is 'mnits'; did you mean 'mnist'?"),
        (["--optimizer", "sdg"], ExitCode.USAGE, "--optimizer: there is no 'sdg'; did you mean 'sgd'?"),
        (["--set", "train.batchsize=3"], ExitCode.USAGE, "train.batchsize is not a known key; did you mean 'batch_size'?"),
        (["--set", "model.layers[6].kernel=9"], ExitCode.USAGE, "conv5 (model.layers[6]): conv 9×9 reaches over 9×9"),
        (["--set", "model.layers[7].conv=11"], ExitCode.USAGE, "ends 11 wide, but there are 10 classes"),
        (["--set", "model.layers[-1].conv=3"], ExitCode.USAGE, "this one has conv and global_avgpool; take one away"),
        (["--set", "train[0]=3"], ExitCode.USAGE, "train[0]: there is nothing of that name in this preset"),
        (["--schedule", "multistep:milestones=[1,2"], ExitCode.USAGE, "has a bracket without its other half; add it."),
        (["--budget", "5000"], ExitCode.USAGE, "5,854 parameters, 854 too many (most in conv4 1,320, conv5 1,320, conv3 1,104)"),
        (["--device", "cuda"], ExitCode.DEVICE, "cuda"),
        (["--device", "gpu"], ExitCode.DEVICE, "--device gpu: no such device; use auto, cpu, cuda, cuda:N or mps."),
        (["--precision", "fp8"], ExitCode.USAGE, "fp32, tf32, bf16"),
        (["--runs-dir", "/dev/null/x"], ExitCode.RUN_DIRECTORY, "/dev/null/x"),
        (["--json", "--events"], ExitCode.USAGE, "use one of them"),
        (["--frobnicate"], ExitCode.USAGE, "--frobnicate"),
    ],
)  # fmt: skip
def test_a_mistake_gives_its_code_and_one_sentence(home, arguments, code, says) -> None:
    if arguments[:2] == ["--device", "cuda"]:
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a GPU here")
    given = arguments if "--dataset" in arguments else ["--dataset", "digits", *arguments]
    done = tuitrain(home, "run", *given)
    assert done.returncode == code, done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


def test_missing_data_without_a_network(home, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    done = tuitrain(home, "run", "--data-dir", str(tmp_path / "empty"))
    assert done.returncode == ExitCode.DATA
    assert "tuitrain data fetch" in done.stderr and "--dataset digits" in done.stderr
    assert not list((tmp_path / "runs").glob("*"))


def test_require_accuracy(home, tiny) -> None:
    missed = tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "1", "--require-accuracy", "99.9")
    assert (
        missed.returncode == ExitCode.REQUIREMENT and "--require-accuracy 99.9: the best was" in missed.stderr
    )
    met = tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "1", "--require-accuracy", "1")
    assert met.returncode == 0


def test_dry_run_makes_nothing(home, tmp_path) -> None:
    done = tuitrain(home, "run", "--preset", "step13", "--dataset", "digits", "--dry-run")
    assert done.returncode == 0 and "nothing was trained" in done.stderr and done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_divergence_is_told_by_exit_5(home, tiny) -> None:
    done = tuitrain(
        home, "run", "-p", tiny, "-d", "digits", "-e", "3", "--lr", "1e6", "--set", "optimizer.momentum=0.9"
    )
    assert done.returncode == ExitCode.DIVERGED and "try a learning rate" in done.stderr


def test_val_split_judges_by_what_was_held_out(home, tiny) -> None:
    done = tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "1", "--val-split", "300", "--json")
    result = json.loads(done.stdout)
    assert result["judged_by"] == "validation"
    assert "picked on the test set" not in done.stderr
    plain = tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "1")
    assert "picked on the test set" in plain.stderr


def test_resume_extends_a_finished_run(home, tiny) -> None:
    first = json.loads(tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "2", "--json").stdout)
    refused = tuitrain(home, "resume", first["run"])
    assert refused.returncode == ExitCode.RUN_DIRECTORY and "is complete" in refused.stderr
    longer = json.loads(tuitrain(home, "resume", "latest", "--epochs", "3", "--json").stdout)
    assert longer["epochs"] == 3 and longer["run"] == first["run"]
    threads = first["command"].split("--threads ")[1].split()[0]
    straight = json.loads(
        tuitrain(home, "run", "-p", tiny, "-d", "digits", "-e", "3", "--threads", threads, "--json").stdout
    )
    assert straight["model_sha256"] == longer["model_sha256"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--lr", "1e9"], ExitCode.DIVERGED, "diverged: the training loss is not finite in epoch 1"),
        (["--model", "net.py:Net"], ExitCode.FAILED, "failed: RuntimeError: no more"),
    ],
)
def test_a_failure_leaves_its_sentence_when_quiet_too(home, tiny, tmp_path, arguments, code, told) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\n\nclass Net(torch.nn.Linear):\n"
        "    def __init__(self):\n        super().__init__(784, 10)\n        self.calls = 0\n"
        "    def forward(self, images):\n        self.calls += 1\n"
        "        if self.calls > 30:\n            raise RuntimeError('no more')\n"
        "        return super().forward(images.flatten(1))\n"
    )
    done = tuitrain(
        home, "run", "-p", tiny, "-d", "digits", "-e", "9", "--device", "cpu", "-q", *arguments, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"tuitrain: {told}") and done.stderr.count("\n") == 1


def test_a_job_of_github_gets_a_summary_and_a_summary_that_can_not_be_written_fails_nothing(
    home, tiny, tmp_path
) -> None:
    wanted = tmp_path / "summary.md"
    wanted.write_text("before\n")
    command = ["run", "-p", tiny, "-d", "digits", "-e", "1", "--device", "cpu", "-q"]
    done = tuitrain(home | {"GITHUB_STEP_SUMMARY": str(wanted)}, *command)
    assert (done.returncode, done.stderr) == (0, "")
    text = wanted.read_text()
    assert text.startswith("before\n### ✓ tiny: done\n") and "| data set | digits |" in text
    assert "```sh\ntuitrain run --preset " in text
    done = tuitrain(home | {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "x")}, *command)
    assert done.returncode == 0 and done.stderr.count("\n") == 1
    assert "no/x could not be written (No such file or directory); the run is not affected." in done.stderr
