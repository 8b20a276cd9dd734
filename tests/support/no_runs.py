"""Folders that are no runs, or more than runs: none of them may be removed by `tuitrain runs rm`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tuitrain.training.events import EpochFinished, Record, RunStarted, to_line

STARTED = to_line(
    Record(
        RunStarted(
            run="a", name="fake", preset={"schema": 1, "name": "fake"}, seed=0, device="cpu", device_name="CPU",
            versions={}, runtime={}, parameters=64, mult_adds=64, dataset="digits", train_images=60, test_images=100,
            judged_by="test", epochs=3, steps_per_epoch=6,
        ),
        1e9, 0.0,
    )
)  # fmt: skip
EPOCH = to_line(Record(EpochFinished(1, 3, 0.5, 0.9, 0.5, 0.9, 0.1, 1.0, 0.1, 1.0, 9.0, 100), 1e9, 1.0))
LOG = f"{STARTED}\n{EPOCH}\n"


@dataclass(frozen=True)
class Place:
    """A home folder with runs in it; `cwd` is where the command is given."""

    home: Path

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def cwd(self) -> Path:
        return self.home / "work"


def a_run(path: Path) -> Path:
    """A run directory with all that a run has."""
    for folder in ("checkpoints", "tensorboard"):
        (path / folder).mkdir(parents=True)
    (path / "checkpoints" / f"epoch-0001-best.{'0' * 64}.safetensors").write_bytes(b"x")
    (path / "tensorboard" / "events.out.tfevents.1.host.2").write_bytes(b"x")
    for name in ("run.lock", "control.jsonl", "log.txt", "summary.txt", "metrics.csv", "user.json"):
        (path / name).touch()
    (path / "preset.toml").write_text("# What really ran.\nschema = 1\n")
    (path / "events.jsonl").write_text(LOG)
    return path


def project(place: Place, **files: str) -> Path:
    """A folder with a program of somebody's, and these files."""
    folder = place.home / "proj"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.py").write_text("print(1)\n")
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


Make = Callable[[Place], "str | Path"]
CASES: dict[str, Make] = {}


def case(make: Make) -> Make:
    """A function that makes such a folder and gives what is typed after `runs rm`."""
    CASES[make.__name__] = make
    return make


def _projects() -> None:
    texts = {
        "with_a_lock": {"run__lock": ""},
        "with_an_empty_log": {"events__jsonl": ""},
        "with_a_log_and_a_lock": {"events__jsonl": "", "run__lock": ""},
        "with_another_programs_log": {"events__jsonl": '{"event": "click", "time": 1}\n'},
        "with_a_log_of_lists": {"events__jsonl": "[1]\n[2]\n"},
        "with_a_log_of_text": {"events__jsonl": "hello\n"},
        "with_a_copied_log": {"events__jsonl": LOG},
        "with_a_copied_log_and_preset": {"events__jsonl": LOG, "preset__toml": "# What really ran.\n"},
    }
    for name, files in texts.items():
        CASES[f"a_project_{name}"] = lambda place, files=files: project(place, **files)  # type: ignore[misc]


def _logs() -> None:
    texts = {
        "empty": "", "of_an_epoch": f"{EPOCH}\n", "torn": STARTED[:-5], "without_a_line_end": STARTED, "of_a_list": "[]\n",
        "of_junk": "\x00\x01\n", "of_another_program": '{"event": "RunStarted", "id": 7}\n', "deep": "[" * 99_999 + "\n",
        "after_something_else": f"{{}}\n{LOG}", "of_a_later_version": STARTED.replace('"schema":1}', '"schema":2}') + "\n",
    }  # fmt: skip

    def make(place: Place, text: str) -> Path:
        folder = a_run(place.runs / "x")
        (folder / "events.jsonl").write_text(text)
        (folder / "preset.toml").write_text(
            "schema = 1\n"
        )  # else it might have been killed before its first event
        return folder

    for name, text in texts.items():
        CASES[f"a_run_whose_log_is_{name}"] = lambda place, text=text: make(place, text)  # type: ignore[misc]


def _runs_with_more() -> None:
    def outside(place: Place) -> Path:
        (place.home / "outside").mkdir()
        (place.home / "outside" / "keep").write_text("x")
        return place.home / "outside"

    def linked(run: Path, name: str, place: Place) -> None:
        path, target = run / name, outside(place)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
            target = target / "keep"
        path.symlink_to(target)

    additions: dict[str, Callable[[Path, Place], object]] = {
        "a_note": lambda run, place: (run / "notes.md").write_text("mine"),
        "a_hidden_file": lambda run, place: (run / ".secret").write_text("mine"),
        "a_folder": lambda run, place: (run / "results").mkdir(),
        "git": lambda run, place: (run / ".git").mkdir(),
        "an_unknown_checkpoint": lambda run, place: (run / "checkpoints" / "thesis.safetensors").touch(),
        "a_folder_in_its_checkpoints": lambda run, place: (run / "checkpoints" / "old").mkdir(),
        "a_file_beside_tensorboards": lambda run, place: (run / "tensorboard" / "paper.tex").touch(),
        "a_folder_for_its_log": lambda run, place: ((run / "log.txt").unlink(), (run / "log.txt").mkdir()),
        "a_file_for_its_checkpoints": lambda run, place: (shutil.rmtree(run / "checkpoints"), (run / "checkpoints").touch()),
        "a_link": lambda run, place: linked(run, "more", place),
        "a_link_for_its_output": lambda run, place: linked(run, "output.txt", place),
        "a_link_for_its_log": lambda run, place: linked(run, "log.txt", place),
        "a_link_for_its_checkpoints": lambda run, place: linked(run, "checkpoints", place),
        "a_link_for_its_preset": lambda run, place: linked(run, "preset.toml", place),
        "a_link_in_its_checkpoints": lambda run, place: linked(run, f"checkpoints/epoch-0002.{'1' * 64}.safetensors", place),
        "another_run": lambda run, place: a_run(run / "b"),
        "another_run_as_its_checkpoints": lambda run, place: (shutil.rmtree(run / "checkpoints"), a_run(run / "checkpoints")),
    }  # fmt: skip

    def make(place: Place, add: Callable[[Path, Place], object]) -> str:
        add(a_run(place.runs / "x"), place)
        return "x"

    for name, add in additions.items():
        CASES[f"a_run_with_{name}"] = lambda place, add=add: make(place, add)  # type: ignore[misc]


_projects()
_logs()
_runs_with_more()


@case
def a_log_that_is_a_pipe(place: Place) -> Path:
    folder = a_run(place.runs / "x")
    (folder / "events.jsonl").unlink()
    os.mkfifo(folder / "events.jsonl")
    return folder


@case
def a_log_that_is_a_link_to_a_runs(place: Place) -> Path:
    folder = a_run(place.runs / "x")
    (folder / "events.jsonl").unlink()
    (folder / "events.jsonl").symlink_to(a_run(place.runs / "y") / "events.jsonl")
    return folder


@case
def the_runs_folder(place: Place) -> Path:
    return a_run(place.runs / "x").parent


@case
def the_runs_folder_with_a_stray_log(place: Place) -> Path:
    (a_run(place.runs / "x").parent / "events.jsonl").write_text(LOG)
    return place.runs


@case
def the_runs_folder_without_runs_with_a_stray_log(place: Place) -> Path:
    (place.runs / "events.jsonl").write_text(LOG)
    return place.runs


@case
def the_folder_above_the_runs_folder(place: Place) -> Path:
    (a_run(place.runs / "x") / "events.jsonl").replace(place.home / "events.jsonl")
    return place.home


@case
def another_folder_of_runs(place: Place) -> Path:
    (a_run(place.home / "old" / "x").parent / "events.jsonl").write_text(LOG)
    return place.home / "old"


@case
def a_run_that_is_the_current_folder(place: Place) -> str:
    place.cwd.rmdir()
    a_run(place.cwd)
    return "."


@case
def a_run_that_is_the_current_folder_by_its_path(place: Place) -> Path:
    place.cwd.rmdir()
    return a_run(place.cwd)


@case
def a_run_that_holds_the_current_folder(place: Place) -> str:
    (place.home / "events.jsonl").write_text(LOG)
    return ".."


@case
def the_home_folder(place: Place) -> str:
    (place.home / "events.jsonl").write_text(LOG)
    (place.home / "run.lock").touch()
    return "~/"


def _links() -> None:
    def make(place: Place, typed: str) -> str:
        (place.runs / "link").symlink_to(a_run(place.home / "elsewhere" / "y"))
        (place.runs / "chain").symlink_to(place.runs / "link")
        return typed.replace("RUNS", str(place.runs))

    for name, typed in {
        "a_link": "link", "a_chain_of_links": "chain", "a_link_by_its_path": "RUNS/link", "a_link_with_a_slash": "RUNS/link/",
        "a_link_with_a_dot": "RUNS/link/.",
    }.items():  # fmt: skip
        CASES[f"{name}_to_a_run"] = lambda place, typed=typed: make(place, typed)  # type: ignore[misc]


_links()


@case
def a_run_in_the_current_folder_by_its_name_alone(place: Place) -> str:
    a_run(place.cwd / "here")
    return "here"


@case
def a_project_in_the_runs_folder(place: Place) -> str:
    (place.runs / "thesis").mkdir()
    (place.runs / "thesis" / "chapter-1.tex").write_text("x")
    return "thesis"


@case
def a_file_in_the_runs_folder(place: Place) -> str:
    (place.runs / "x").write_text(LOG)
    return "x"


@case
def a_file_by_its_path(place: Place) -> Path:
    (place.runs / "x").write_text(LOG)
    return place.runs / "x"


@case
def the_trash(place: Place) -> Path:
    a_run(place.runs / ".trash" / "2026-11-25T18-01-02-000001" / "x")
    return place.runs / ".trash"


@case
def a_folder_of_the_trash(place: Place) -> Path:
    return a_run(place.runs / ".trash" / "2026-11-25T18-01-02-000001" / "x").parent


@case
def a_run_not_begun_without_its_lock(place: Place) -> Path:
    folder = a_run(place.runs / "x")
    (folder / "events.jsonl").write_text("")
    (folder / "run.lock").unlink()
    return folder


@case
def no_name(place: Place) -> str:
    a_run(place.runs / "x")
    return ""


def set_up(home: Path, name: str) -> tuple[Place, str]:
    """Make the folders of a case; what is to be typed."""
    place = Place(home)
    for folder in (place.runs, place.cwd):
        folder.mkdir(parents=True)
    return place, str(CASES[name](place))


def everything(home: Path) -> list[tuple[str, str]]:
    """Every path below a folder with what it is, links not followed."""
    found = []
    for path in sorted(home.rglob("*")):
        what = os.readlink(path) if path.is_symlink() else path.read_text("latin-1") if path.is_file() else ""
        found.append((str(path.relative_to(home)), what))
    return found


assert len(CASES) >= 50 and json.loads(STARTED)["schema"] == 1
