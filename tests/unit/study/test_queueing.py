"""A study in the queue of the app: trained in its turn by real processes, stopped with the queue, gone on with."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.groups_made import plan
from support.runs_fake import fake_session
from support.until import until
from tuitrain.errors import UsageError
from tuitrain.report import report_files
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.queue import SessionManager
from tuitrain.runs.session import Session
from tuitrain.spec.preset import override
from tuitrain.spec.preset_files import load_preset
from tuitrain.study.queueing import resume_study, start_study
from tuitrain.study.reading import StudyReader
from tuitrain.study.starting import plan_of_seeds
from tuitrain.study.store import create_study
from tuitrain.training.job import Job
from tuitrain.training.runtime import Runtime
from tuitrain.tui.terminal.summary import summary_lines

PRESET = override(load_preset("step13"), {"train.dataset": "digits", "train.epochs": 1})


def job(epochs: int = 1) -> Job:
    preset = override(PRESET, {"train.epochs": epochs})
    return Job(
        preset, Runtime(device="cpu", threads=1, compile="off"), changed={"train.epochs": [14, epochs]}
    )


@pytest.mark.slow
def test_seeds_are_trained_stopped_and_gone_on_with(tmp_path: Path) -> None:
    manager = SessionManager(runs_dir=tmp_path / "runs", reporter=report_files)
    study = start_study(manager, plan_of_seeds(job(), "2"))
    entry = manager.entry_of_study(study.name)
    assert entry is not None and entry.title == "step13 · epochs 1 · 2 seeds"
    with pytest.raises(UsageError, match="already"):
        resume_study(manager, study)
    assert manager.join(120) and entry.exit_code == 0 and not entry.error
    (group,) = StudyReader(study.runs_dir, study.plan()).groups()
    assert [run.state for run in group.runs] == ["done", "done"] and not study.is_held()
    assert all((tmp_path / "runs" / run.run / "report.md").exists() for run in group.runs)

    resume_study(manager, study, "9-9")
    assert manager.join(120)
    (group,) = StudyReader(study.runs_dir, study.plan()).groups()
    assert [run.seed for run in group.ended] == [0, 1, 9]
    with pytest.raises(UsageError, match="given twice"):
        resume_study(manager, study, "8-9")

    lines = [str(line) for line in summary_lines(manager, detached=False)]
    assert lines[0] == "✓ done  step13 · epochs 1 · 3 seeds" and "mean " in lines[1], "the newest whole"
    assert lines[3].strip() == f"look at it again with: tuitrain attach {study.name}"
    assert lines[4:] == ["✓ done  step13 · epochs 1 · 2 seeds"]
    long = start_study(manager, plan_of_seeds(job(50), "3"))
    until(lambda: StudyReader(long.runs_dir, long.plan()).groups()[0].runs[0].history.epochs)
    manager.stop_all("left the app", "keyboard")
    assert manager.join(60)
    states = [run.state for run in StudyReader(long.runs_dir, long.plan()).groups()[0].runs]
    assert states == ["stopped", "stopped", "waiting"] or states[0] == "stopped"
    assert not long.is_held()


def test_a_run_of_the_queue_leaves_a_report(tmp_path: Path) -> None:
    def make(*_: object) -> Session:
        return fake_session(RunDirectory.create(tmp_path, "fake", name="a"), epochs=1)

    manager = SessionManager(runs_dir=tmp_path, make_session=make, reporter=report_files)
    manager.start(job())
    assert manager.join(60) and (tmp_path / "a" / "report.md").read_text().startswith("# fake on digits")


def test_a_study_waits_for_its_turn_and_can_be_taken_out(tmp_path: Path) -> None:
    over = threading.Event()
    manager = SessionManager(runs_dir=tmp_path / "runs", make_session=lambda *wanted: over.wait(60))  # type: ignore[arg-type, return-value]
    manager.start(job())  # on the same device, and takes its time
    study = start_study(manager, plan("one"))
    entry = manager.entry_of_study(study.name)
    assert entry is not None and entry.state == "queued" and not study.is_held()
    manager.feed(entry).control.stop()
    assert entry.state == "cancelled" and manager.entry_of_study(study.name) is None
    over.set()


def test_a_network_in_python_is_not_run_unless_it_is_named(tmp_path: Path) -> None:
    manager = SessionManager(runs_dir=tmp_path / "runs")
    study = create_study(tmp_path / "runs", plan("one", user_network={"model": "net.py:Net", "sha256": "0"}))
    study.release()
    with pytest.raises(UsageError, match=r"only when you name it"):
        resume_study(manager, study)
    assert not manager.entries and not study.is_held()


WORKERS = """
import os, signal, sys, time
from multiprocessing import forkserver
from tuitrain.study.workers import Workers

class Screen:  # what textual puts in the place of stderr
    def fileno(self): return -1
    def write(self, text): return len(text)
    def flush(self): pass

if __name__ == "__main__":
    sys.stderr = Screen()
    workers = Workers(1)
    first = workers.submit(os.getpid).result()
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGHUP)  # as a terminal does that goes away
    os.kill(first, signal.SIGHUP)
    time.sleep(0.3)
    print(first == workers.submit(os.getpid).result())
    workers.shutdown()
"""


@pytest.mark.slow
def test_workers_begin_under_a_screen_and_outlive_its_terminal(tmp_path: Path) -> None:
    script = tmp_path / "workers.py"
    script.write_text(WORKERS)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "True", done.stderr
