"""Tab in real shells: what it makes of a line, and that asking does nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tuitrain.cli.completion import with_shell_name
from tuitrain.errors import UsageError

RUN = "2026-11-20T15-30-12_step13_7f3a"
BEGIN = {
    "bash": ("bash", ["--norc", "--noprofile", "-i"]),
    "zsh": ("zsh", ["-f", "-i"]),
    "fish": ("fish", ["--no-config", "-i"]),
}
#: What is typed before Tab, and what the line is then.
LINES = [
    ("tuitrain sta", "tuitrain status"),
    ("tuitrain run --val", "tuitrain run --val-split"),
    ("tuitrain run --preset twelvek-", "tuitrain run --preset twelvek-bn-relu"),
    ("tuitrain run --preset=twelvek-", "tuitrain run --preset=twelvek-bn-relu"),
    ("tuitrain run -p mlp -d fash", "tuitrain run -p mlp -d fashion-mnist"),
    ("tuitrain resume 2026-11-20", f"tuitrain resume {RUN}"),
    ("tuitrain run --data-dir some-f", "tuitrain run --data-dir some-folder"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a run, a preset, a data folder, and the command on the PATH."""
    for name in ("bin", "some-folder", "presets", f"runs/{RUN}", "runs/$(touch seen)_x"):
        (tmp_path / name).mkdir(parents=True)
    for run in (tmp_path / "runs").iterdir():
        (run / "events.jsonl").touch()
    (tmp_path / "presets/mine.toml").touch()
    command = tmp_path / "bin/tuitrain"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tuitrain "$@"\n')
    command.chmod(0o755)
    return tmp_path


def environment(place: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TUITRAIN_", "_TUITRAIN"))}
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    return {**kept, "HOME": str(place), "XDG_CONFIG_HOME": str(place / "none"), "PATH": path, "TERM": "xterm"}


class Shell:
    """A shell on a pseudo-terminal, with the completion loaded."""

    def __init__(self, name: str, place: Path) -> None:
        if shutil.which(name) is None:
            pytest.skip(f"there is no {name} on this machine")
        self.name = name
        program, arguments = BEGIN[name]
        self.child = pexpect.spawn(
            program, arguments, cwd=place, env=environment(place), encoding="utf-8", timeout=60,
            dimensions=(50, 150),
        )  # fmt: skip
        load = {
            "bash": "source <(tuitrain --show-completion bash)",
            "zsh": "source <(tuitrain --show-completion zsh)",
            "fish": "tuitrain --show-completion fish | source",
        }[name]
        self.child.send(f"{load}\r")
        self.say("ready")

    def say(self, word: str) -> None:
        """Have the shell print a word that nobody typed, and wait for it."""
        self.child.send(f"echo {word[0]}''{word[1:]}\r")
        self.child.expect(rf"[\r\n]{word}\r?\n")

    def complete(self, line: str) -> str:
        """What Tab makes of a line, without the space or slash after it."""
        self.child.send(line + "\t")
        # The shell reads no key while it completes: these wait until it has.
        self.child.send("\x05'\x01echo '\r")
        self.child.expect(r"[\r\n](tuitrain [^\r\n']*?) ?\r?\n")
        return self.child.match[1].rstrip("/")

    def close(self) -> None:
        self.child.close(force=True)


@pytest.mark.terminal
@pytest.mark.parametrize("name", BEGIN)
def test_tab_completes_in_a_real_shell(name: str, place: Path) -> None:
    shell = Shell(name, place)
    try:
        got = {line: shell.complete(line) for line, _ in LINES}
    finally:
        shell.close()
    assert got == dict(LINES)
    assert not (place / "seen").exists()  # a folder's name was not run
    assert sorted(path.name for path in (place / "runs").iterdir()) == ["$(touch seen)_x", RUN]


def ask(place: Path, line: str, *python: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What the command answers to bash's question."""
    words = line.split(" ")
    asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    return subprocess.run(
        [sys.executable, *(python or ("-m", "tuitrain"))], cwd=place, text=True, capture_output=True, timeout=100,
        env=environment(place) | asked | {"_TUITRAIN_COMPLETE": "complete_bash"} | variables,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tuitrain reproduce s", {"step1", "step13"}),
        ("tuitrain reproduce e", {"era-s7"}),
        ("tuitrain runs ", {"show", "path", "rm", "tag", "note"}),
        ("tuitrain show mi", {"mine"}),
        ("tuitrain runs tag ", {"latest", RUN}),
        ("tuitrain runs tag --runs-dir elsewhere ", set()),
        ("tuitrain pause ", set()),  # none is live
        ("tuitrain run --optimizer ", {"sgd", "adam", "adamw", "rmsprop"}),
        ("tuitrain run --schedule co", {"constant", "cosine"}),
        ("tuitrain run --device ", {"auto", "cpu", "cuda", "mps"}),
        ("tuitrain lab --theme ", {"dark", "light", "safe", "ansi"}),
        ("tuitrain --show-completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_what_is_offered(line: str, offered: set[str], place: Path) -> None:
    done = ask(place, line)
    assert set(done.stdout.split()) >= offered if offered else not done.stdout
    assert done.returncode == 0


def test_nothing_but_an_answer_comes_of_asking(place: Path) -> None:
    (place / "tuitrain.toml").write_text("runs_dir = \n")
    for line, variables in (
        ("tuitrain resume ", {}),  # the settings can't be read
        ("tuitrain sta", {"_TUITRAIN_COMPLETE": "nonsense"}),
        ("tuitrain sta", {"COMP_CWORD": "x"}),
    ):
        done = ask(place, line, **variables)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), line


def test_a_shell_that_waits_is_not_kept_waiting_by_imports(place: Path) -> None:
    code = (
        "import os, sys\nleave = os._exit\n"
        "def told(code):\n    print(*sys.modules, flush=True)\n    leave(code)\n"
        "os._exit = told\nfrom tuitrain.cli import main\nmain()\n"
    )
    offered, loaded = ask(place, "tuitrain run --preset twelvek-", "-c", code).stdout.splitlines()
    assert offered == "twelvek-bn-relu" and "tuitrain.spec.preset_files" in loaded.split()
    assert not set(loaded.split()) & {"torch", "numpy", "textual", "rich.console", "tuitrain.spec.preset"}


def test_the_shell_that_is_named_gets_its_script(place: Path) -> None:
    from typer.testing import CliRunner

    from tuitrain.cli.root import app

    shown = {name: CliRunner().invoke(app, ["--show-completion", name]).stdout for name in BEGIN}
    assert "COMPREPLY" in shown["bash"] and "#compdef tuitrain" in shown["zsh"]
    assert "complete --command tuitrain" in shown["fish"]
    with pytest.raises(
        UsageError, match="--show-completion tcsh: no such shell is known; use bash, zsh or fish."
    ):
        CliRunner().invoke(app, ["--show-completion", "tcsh"], catch_exceptions=False)
    assert with_shell_name(["tuitrain", "--show-completion"])[2:] != []
    assert with_shell_name(["tuitrain", "--show-completion", "zsh"])[2:] == ["zsh"]


@pytest.mark.parametrize(
    ("name", "script", "start"),
    [
        ("bash", ".bash_completions/tuitrain.sh", ".bashrc"),
        ("zsh", ".zfunc/_tuitrain", ".zshrc"),
        ("fish", ".config/fish/completions/tuitrain.fish", None),
    ],
)
def test_the_script_is_installed(name: str, script: str, start: str | None, place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuitrain", "--install-completion", name], text=True, capture_output=True,
        env=environment(place), timeout=100, cwd=place,
    )  # fmt: skip
    assert done.returncode == 0 and str(place / script) in done.stderr
    assert "_TUITRAIN_COMPLETE" in (place / script).read_text()
    assert start is None or (place / start).exists()
