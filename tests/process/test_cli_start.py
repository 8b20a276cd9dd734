"""What the light commands import, and that they answer as documented."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support import warm
from tuitrain.cli.root import app
from tuitrain.errors import DeviceError, UsageError

HEAVY = {"torch", "torchvision", "textual", "numpy", "sklearn", "matplotlib", "tensorboard"}
LIGHT = [
    ["--help"], ["--version"], ["presets"], ["show", "step13"], ["show", "step13", "--json"], ["run", "--help"],
    ["presets", "schema"], ["config", "show"],
]  # fmt: skip


def test_light_commands_import_nothing_heavy() -> None:
    code = (
        f"import sys\nfrom tuitrain.cli import main\nfor arguments in {LIGHT!r}:\n"
        "    sys.argv = ['tuitrain', *arguments]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code, end.code\n"
        "    print(arguments, sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, timeout=200)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(LIGHT)
    for line in lines:
        modules = set(re.findall(r"'(\w+)'", line))
        assert "tuitrain" in modules and not modules & HEAVY, line[:80]


def test_every_commands_help_is_a_whole_line_at_80_columns(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = [[], *([name] for name in ("presets", "runs", "study", "data", "config"))]
    for group in groups:
        listed = CliRunner().invoke(app, [*group, "--help"]).stdout.partition("Commands:")[2]
        lines = [line for line in listed.splitlines() if line.strip()]
        assert len(lines) >= 2, group
        assert all(line.endswith(".") and not line.endswith("...") for line in lines), "\n".join(lines)


#: From the bottom up, so that one process can import them one after the other: what is imported by then is
#: what the room imports and what the rooms below it import.
ROOMS = {
    "errors": {"torch", "numpy", "textual", "pydantic", "rich", "typer"},
    "spec.preset_files": {"torch", "numpy", "textual", "rich", "typer"},
    "data.load": {"torch", "textual", "torchvision", "typer"},
    "training.events": {"torch", "textual", "typer"},
    "training.trainer": {"textual", "typer", "torchvision"},
    "runs.session": {"textual", "typer", "torchvision", "tensorboard"},
}


@pytest.mark.parametrize("rooms", [ROOMS, {"watch.state": {"textual", "torch", "typer"}}], ids=len)
def test_a_room_imports_only_what_is_below_it(rooms) -> None:
    code = f"import sys, importlib\nfor room in {list(rooms)!r}:\n"
    code += "    importlib.import_module(f'tuitrain.{room}')\n    print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, timeout=200, check=True
    )
    order = ["spec", "data", "training", "runs", "watch", "cli", "tui"]
    for (room, refused), line in zip(rooms.items(), done.stdout.splitlines(), strict=True):
        modules = line.split()
        assert not {name.split(".")[0] for name in modules} & refused, room
        own = room.split(".")[0]
        above = order[order.index(own) + 1 :] if own in order else order
        assert not [n for n in modules if n.startswith("tuitrain.") and n.split(".")[1] in above], room


def test_show_json_has_the_documented_keys() -> None:
    shown = json.loads(CliRunner().invoke(app, ["show", "step13", "--json"]).stdout)
    assert set(shown) >= {"name", "parameters", "budget", "mult_adds", "receptive_field", "layers"}
    assert (shown["parameters"], shown["budget"], shown["receptive_field"]) == (5854, 6000, 40)
    assert set(shown["layers"][0]) >= {"kind", "output_shape", "parameters", "mult_adds", "receptive_field"}


def test_show_tells_an_overrun() -> None:
    shown = CliRunner().invoke(app, ["show", "step13", "--set", "model.layers[1].conv=11"])
    assert (
        "6,054 of 6,000" in shown.stdout and "over by 54" in shown.stdout and "✗ parameters" in shown.stdout
    )
    assert "changed conv2 10 → 11" in shown.stdout and "[1]  conv2 3×3 →11" in shown.stdout


@pytest.mark.parametrize("command", [[], ["lab"]])
def test_the_lab_begins_with_the_flags_values(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[dict[str, object]] = []
    monkeypatch.setattr("tuitrain.cli.opening.show_app", lambda settings, looks: opened.append(settings))
    monkeypatch.setattr("tuitrain.tui.terminal.launch.check_terminal", lambda *_: None)
    flags = ["--preset", "step11", "--dataset", "digits", "--set", "dropout=0.1"]
    done = CliRunner().invoke(app, [*command, *flags])
    assert done.exit_code == 0, done.output
    assert opened[0]["preset"] == "step11"
    assert opened[0]["overrides"] == {"train.dataset": "digits", "train.dropout": 0.1}
    with pytest.raises(UsageError, match="--set 'nonsense': write it as key=value"):
        CliRunner().invoke(app, [*command, "--set", "nonsense"], catch_exceptions=False)


def test_presets_validate_and_new(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = CliRunner().invoke(app, ["presets", "new", "mine", "--from", "step11"])
    assert made.exit_code == 0, made.output
    path = Path(made.stdout.strip().splitlines()[-1])
    assert CliRunner().invoke(app, ["presets", "validate", str(path), "step1"]).exit_code == 0
    path.write_text(path.read_text().replace("batch_size", "batchsize"))
    assert CliRunner().invoke(app, ["presets", "validate", str(path)]).exit_code == 2


def test_schema_accepts_every_preset_and_refuses_a_misspelt_key() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    import tomllib

    from tuitrain.spec.preset_files import list_presets

    schema = json.loads(CliRunner().invoke(app, ["presets", "schema"]).stdout)
    validator = jsonschema.Draft202012Validator(schema)
    for entry in list_presets():
        assert not list(validator.iter_errors(tomllib.loads(entry.path.read_text()))), entry.name
    assert list(validator.iter_errors({"model": {"layers": [{"conv": 10, "kernal": 3}]}}))


def test_config_says_where_a_value_came_from(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("TUITRAIN_DEVICE", "cpu")
    monkeypatch.delenv("TUITRAIN_RUNS_DIR", raising=False)
    (tmp_path / "tuitrain.toml").write_text('runs_dir = "here"\n')
    shown = json.loads(CliRunner().invoke(app, ["config", "show", "--json"]).stdout)
    assert shown["device"] == {"value": "cpu", "from": "TUITRAIN_DEVICE"}
    assert shown["runs_dir"] == {"value": "here", "from": "tuitrain.toml"}
    assert shown["refresh_hz"]["from"] == "default"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budget = inf", "tuitrain.toml: budget is 'inf'; use a whole number, 0 or more."),
        ("threads = nan", "threads is 'nan'; use a whole number"),
        ('runs_dir = "a\\u0000b"', "runs_dir is 'a\\x00b'; use text."),
        ("x" * 70_000, "larger than 64 KiB"),
    ],
    ids=["inf", "nan", "NUL", "large"],
)
def test_a_config_file_from_elsewhere_is_refused_in_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "tuitrain.toml").write_text(text)
    done = tuitrain("config", "show", cwd=tmp_path)
    assert done.returncode == UsageError.exit_code and done.stderr.count("\n") == 1
    assert told in done.stderr.replace("\\\\", "\\")


def test_a_config_file_of_any_size_takes_no_memory(tmp_path: Path) -> None:
    with (tmp_path / "tuitrain.toml").open("wb") as file:
        file.truncate(1 << 36)
    assert "larger than 64 KiB" in tuitrain("config", "show", cwd=tmp_path).stderr


def tuitrain(*arguments: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*arguments, cwd=cwd, env={**os.environ, **env})


def test_torch_that_cannot_be_imported_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        "raise ImportError('libtorch.so: cannot\\nallocate \x1b[31m')"
    )
    command = [
        sys.executable,
        "-m",
        "tuitrain",
        "run",
        "--dataset",
        "digits",
        "--runs-dir",
        str(tmp_path / "runs"),
    ]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, text=True, capture_output=True, timeout=200, env=env)
    assert (done.returncode, done.stdout) == (DeviceError.exit_code, "")
    assert done.stderr.startswith("tuitrain: torch can't be imported: libtorch.so: cannot allocate ")
    assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


@pytest.mark.parametrize("columns", ["²", "x", "-1", "", "0", "٣٠"])
def test_a_width_that_is_none_is_not_believed(columns: str) -> None:
    done = tuitrain("show", "step1", COLUMNS=columns)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_a_folder_that_is_gone_is_no_reason_to_fail(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}" && exec "{sys.executable}" -m tuitrain presets --json'
    done = subprocess.run(["/bin/sh", "-c", script], cwd=gone, text=True, capture_output=True, timeout=200)
    assert done.returncode == 0 and len(json.loads(done.stdout)) >= 30, done.stderr


def test_a_new_preset_of_a_path_is_named_as_it_was_written(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["presets", "new", str(tmp_path / "My Net.toml")])
    path = made.stdout.strip().splitlines()[-1]
    assert Path(path).exists() and f"run --preset {path}" in made.stderr


def test_config_show_tells_what_is_no_setting(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "tuitrain.toml").write_text('threds = 3\n[keys]\nleave = "x"\n')
    shown = CliRunner().invoke(app, ["config", "show"])
    assert (
        shown.exit_code == 0
        and "tuitrain.toml: 'threds' is no setting; did you mean 'threads'?" in shown.stderr
    )
    assert "keys" not in shown.stderr
    monkeypatch.setenv("TUITRAIN_BUDGET", "-3")
    with pytest.raises(UsageError, match="TUITRAIN_BUDGET: budget is '-3'; use a whole number, 0 or more."):
        CliRunner().invoke(app, ["config", "show"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["runs", "nosuch"], "no such command 'nosuch'; see `tuitrain runs -h`."),
        (["pause", "a", "b"], "`tuitrain pause -h`."),
        (["run", "--no\u202egnp.exe"], "no such option: --no\\u202egnp.exe; see `tuitrain run -h`."),
        (
            ["run", "--epochs", "x\x1b[31m\ny"],
            "--epochs is 'x\\x1b[31m y'; use a whole number; see `tuitrain run -h`.",
        ),
        (["rnu"], "no such command 'rnu'; did you mean 'run'? (see `tuitrain -h`)"),
        (
            ["run", "--epoch", "3"],
            "no such option: --epoch; did you mean '--epochs'? (see `tuitrain run -h`)",
        ),
        (["run", "--lr", "abc"], "--lr is 'abc'; use a number; see `tuitrain run -h`."),
        (["run", "--budget", "0"], "--budget is '0'; use 1 or more; see `tuitrain run -h`."),
        (["run", "--require-accuracy", "101"], "--require-accuracy is '101'; use 100 or less; see"),
        (["tail", "-n", "1.5"], "--lines is '1.5'; use a whole number; see `tuitrain tail -h`."),
        (["data", "info", "--dataset"], "--dataset needs a value; see `tuitrain data info -h`."),
        (
            ["run", "step13"],
            "'step13' is unexpected; a preset is named by `--preset step13`; see `tuitrain run -h`.",
        ),
        (
            ["--runs-dir", "x", "runs"],
            "--runs-dir must come after the command: `tuitrain runs --runs-dir ...`.",
        ),
        (["runs", "--json", "show"], "must come after the command: `tuitrain runs show --json ...`."),
        (["show"], "name a preset, such as `tuitrain show step13`; `tuitrain presets` lists them."),
        (["show", "step13", "-p", "mlp"], "two presets are named, step13 and --preset mlp; leave one out."),
        (
            ["show", "mlp", "--json", "--toml"],
            "--json, --toml, --torchinfo and --svg - all want stdout; use one of them.",
        ),
        (["runs", "rm"], "the argument run is missing; see `tuitrain runs rm -h`."),
        (["presets", "validate"], "the argument FILE is missing; see `tuitrain presets validate -h`."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_read_on_the_command_line_is_one_sentence_that_steers_no_terminal(
    arguments, told
) -> None:
    done = tuitrain(*arguments)
    assert (done.returncode, done.stdout) == (UsageError.exit_code, "")
    assert told in done.stderr and done.stderr.count("\n") == 1
    assert done.stderr.startswith("tuitrain: ") and done.stderr[:-1].isprintable()


def test_a_device_that_there_is_not_is_refused_before_any_data_is_fetched(tmp_path: Path) -> None:
    done = tuitrain(
        "run",
        "--device",
        "tpu",
        XDG_CACHE_HOME=str(tmp_path),
        TUITRAIN_DATA_DIR="",
        TUITRAIN_MIRROR="file:///",
    )
    assert done.returncode == DeviceError.exit_code and done.stderr.count("\n") == 1
    assert "--device tpu: no such device; use auto, cpu, cuda, cuda:N or mps." in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_group_without_a_command_prints_its_help() -> None:
    done = tuitrain("data")
    assert done.returncode == 2 and done.stderr.startswith("Usage: tuitrain data") and "fetch" in done.stderr


@pytest.mark.parametrize(
    "command", [[], ["lab"], ["demo"], ["attach"], ["watch"], ["--preset", "mlp"]], ids=" ".join
)
@pytest.mark.parametrize("without", ["stdout", "stdin", "TERM"])
def test_a_screen_is_not_opened_where_nobody_sees_it_and_nothing_trains(
    command, without, tmp_path: Path
) -> None:
    (tmp_path / "runs/one").mkdir(parents=True)
    (tmp_path / "runs/one/events.jsonl").touch()
    leader, follower = os.openpty()
    env = {**os.environ, "TERM": "dumb" if without == "TERM" else "xterm", "TUITRAIN_RUNS_DIR": "runs"}
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err, open(os.devnull) as null:
        fds = [null if without == "stdin" else follower, out if without == "stdout" else follower, err]
        numbers = [fd if isinstance(fd, int) else fd.fileno() for fd in fds]
        done = warm.start(*command, cwd=tmp_path, env=env, folder=tmp_path, fds=numbers)
        assert done.wait() == UsageError.exit_code and not done.out
    os.close(leader)
    os.close(follower)
    assert done.err.startswith(f"tuitrain: {without} is ") and done.err.count("\n") == 1
    assert "without a screen, use `tuitrain " in done.err
    assert [path.name for path in (tmp_path / "runs").glob("[!.]*")] == ["one"]
