"""The list of runs, names of runs, feeds, tags and notes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
import time
from pathlib import Path

import pytest

from support.runs_fake import fake_session, old_run, run_to_end
from support.until import until
from tuitrain.errors import RunDirectoryError
from tuitrain.runs import index, keeper, user_file
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.feed import DirectoryFeed, FeedUpdate, SessionFeed
from tuitrain.runs.index import find_run, list_runs
from tuitrain.runs.steering import RemoteControl
from tuitrain.training.events import Control, EpochFinished, Record, RunFinished


def test_the_logs_of_a_thousand_runs_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1000):
        old_run(tmp_path, f"run{number:04d}", 1e9 + 1000 * number)
    first = list_runs(tmp_path)
    monkeypatch.setattr(RunDirectory, "events", lambda self: pytest.fail(f"{self.name} was read again"))
    second = list_runs(tmp_path)
    assert first == second and len(second) == 1000 and second[0].run == "run0999"


OPTIONAL = {"pid": (int,), "best": (float,), "last": (float,), "epochs_at_target": (int,)}
WRONG = (None, "x", 7, -1, 1e400, float("nan"), 1e300, True, [], [[]], {}, {"x": 1}, "\x1b[31m")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(index.RunSummary)])
def test_an_index_that_a_stranger_wrote_is_believed_in_nothing_that_can_not_be(
    tmp_path: Path, field: str
) -> None:
    old_run(tmp_path, "a", 1e9)
    (wanted,) = list_runs(tmp_path)
    cache = tmp_path / index.INDEX
    for wrong in WRONG:
        data = json.loads(cache.read_bytes().partition(b"\n")[2])
        data["runs"]["a"]["summary"][field] = wrong
        body = json.dumps(data).encode()
        cache.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        (found,) = list_runs(tmp_path)
        value = getattr(found, field)
        assert value is None or type(value) in (type(getattr(wanted, field)), *OPTIONAL.get(field, ()))
        assert not isinstance(value, float) or math.isfinite(value)
        assert (found.run, found.path) == ("a", str(tmp_path / "a"))
        json.dumps(found.to_dict(), allow_nan=False)
        cache.unlink()
        assert list_runs(tmp_path) == [wanted]


def test_a_summary_says_what_was(tmp_path: Path) -> None:
    session = run_to_end(RunDirectory.create(tmp_path, "fake", name="a"), epochs=4)
    (summary,) = list_runs(tmp_path)
    best = max((e for e in session.recorder.history.epochs), key=lambda e: (e.test_acc, -e.epoch))
    assert (summary.run, summary.state, summary.preset, summary.dataset) == ("a", "done", "fake", "digits")
    assert (summary.best, summary.best_epoch, summary.epochs) == (best.test_acc, best.epoch, 4)
    assert summary.epochs_at_target == sum(e.test_acc >= 0.99 for e in session.recorder.history.epochs)
    assert index.summarise(tmp_path / "a") == summary
    json.dumps(summary.to_dict(), allow_nan=False)


@pytest.mark.parametrize("damage", ["lost", "cut", "zeros", "lies", "list", "folder", "other version"])
def test_an_index_that_is_lost_or_wrong_is_made_again(tmp_path: Path, damage: str) -> None:
    for number in range(3):
        old_run(tmp_path, f"r{number}", 1e9 + number)
    wanted = list_runs(tmp_path)
    cache = tmp_path / index.INDEX
    data = cache.read_bytes()
    if damage == "lost":
        cache.unlink()
    elif damage == "cut":
        cache.write_bytes(data[: len(data) // 2])
    elif damage == "zeros":
        cache.write_bytes(b"\0" * len(data))
    elif damage == "lies":
        cache.write_bytes(data.replace(b'"parameters":64', b'"parameters":65'))
    elif damage == "list":
        cache.write_bytes(b"[]")
    elif damage == "folder":
        cache.unlink()
        cache.mkdir()
    else:
        cache.write_bytes(data.replace(b'"version":1', b'"version":0'))
    assert list_runs(tmp_path) == wanted
    old_run(tmp_path, "r9", 1e9 + 9)
    shutil.rmtree(tmp_path / "r0")
    assert [s.run for s in list_runs(tmp_path)] == ["r9", "r2", "r1"]


def test_a_run_is_found_by_name_beginning_end_path_or_latest(tmp_path: Path) -> None:
    for number, name in enumerate(
        ["2026-11-20T15-30-12_step13_7f3a", "2026-11-20T15-30-13_mlp_00ff", "mine"]
    ):
        old_run(tmp_path, name, 1e9 + number)
    assert find_run(tmp_path, "latest").name == find_run(tmp_path, "mi").name == "mine"
    assert find_run(tmp_path, "7f3a").name == "2026-11-20T15-30-12_step13_7f3a"
    assert find_run(tmp_path, str(tmp_path / "mine")).name == "mine"
    assert find_run(tmp_path, f"{tmp_path}/mine/").name == "mine"
    with pytest.raises(RunDirectoryError, match="2 runs"):
        find_run(tmp_path, "2026-11")
    with pytest.raises(RunDirectoryError, match="did you mean 'mine'"):
        find_run(tmp_path, "mnie")
    for wrong in ["", "\0", "..", "/", "../..", "/etc", "zzz", ".index.json", "\x1b[31m", "a" * 5000]:
        with pytest.raises(RunDirectoryError) as caught:
            find_run(tmp_path, wrong)
        assert "\x1b" not in str(caught.value) and "\0" not in str(caught.value)
    with pytest.raises(RunDirectoryError, match="no runs"):
        find_run(tmp_path / "nothing", "latest")


def test_tags_and_notes(tmp_path: Path) -> None:
    path = old_run(tmp_path, "a", 1e9)
    list_runs(tmp_path)
    user_file.write_user(path, tags=("good", " good ", "", "[/b]"))
    user_file.write_user(path, note="x" * 9000)
    (summary,) = list_runs(tmp_path)
    assert summary.tags == ("good", "[/b]") and len(summary.note) == 4000
    for wrong in [b"", b"[]", b'{"tags": 5}', b"[" * 50_000, b"\xff"]:
        (path / user_file.USER_FILE).write_bytes(wrong)
        assert user_file.read_user(path) == ((), "")


def everything(feed: SessionFeed | DirectoryFeed, seconds: float = 60.0) -> tuple[list[Record], FeedUpdate]:
    """What a viewer has at the end, polling as a screen does."""
    records: list[Record] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        update = feed.poll()
        records = list(update.records) if update.reset else records + update.records
        if not update.alive:
            return records, update
        time.sleep(0.02)
    raise AssertionError("it did not end")


def test_both_feeds_give_every_record_once(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    session = fake_session(run, epochs=6, steps=10, step_s=0.004)
    feeds = [SessionFeed(session), DirectoryFeed(RunDirectory.open(run.path))]
    session.start()
    for feed in feeds:
        records, update = everything(feed)
        assert [r.event for r in records] == [r.event for r in session.records]
        assert isinstance(records[-1].event, RunFinished) and update.state == "ended"
    late, _ = everything(DirectoryFeed(RunDirectory.open(run.path)))
    assert [r.event for r in late] == [r.event for r in session.records]


def test_a_viewer_elsewhere_is_hardly_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "KEEPER_S", 0.05)
    run = RunDirectory.create(tmp_path, "fake", name="a")
    session = fake_session(run, epochs=1000, steps=10, step_s=0.02)
    feed = DirectoryFeed(RunDirectory.open(run.path))
    session.start()
    until(lambda: feed.poll().progress is not None)
    behind = []
    for _ in range(20):
        update, step = feed.poll(), session.snapshot.progress
        assert update.alive and update.state == "live" and update.progress is not None and step is not None
        behind.append(((step.epoch - update.progress.epoch) * 10 + step.step - update.progress.step) * 0.02)
        assert update.age_s < 5  # it is a moment where the machine has nothing else to do
        time.sleep(0.02)
    assert max(behind) < 5
    feed.control.stop("test")
    assert session.join(60)
    with pytest.raises(RunDirectoryError, match="not running"):
        feed.control.pause()


def test_a_viewer_of_a_run_that_another_process_restarts_starts_over(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "fake", name="a")
    run_to_end(run, epochs=2)
    feed = DirectoryFeed(RunDirectory.open(run.path))
    records, update = everything(feed)
    assert update.state == "ended"
    run.acquire()
    assert feed.directory.is_held()
    run_to_end(run, epochs=4, resume=True)
    update = feed.poll()
    assert update.reset
    assert [r.event.epoch for r in update.records if isinstance(r.event, EpochFinished)] == [1, 2, 3, 4]
    assert any(isinstance(r.event, Control) and r.event.action == "restarted" for r in update.records)
    assert records != update.records


def test_an_interrupted_run_says_so_and_takes_no_commands(tmp_path: Path) -> None:
    path = old_run(tmp_path, "a", 1e9)
    lines = (path / "events.jsonl").read_text().splitlines(keepends=True)
    (path / "events.jsonl").write_text("".join(lines[:-1]))
    assert list_runs(tmp_path)[0].state == "interrupted"
    feed = DirectoryFeed(RunDirectory.open(path))
    assert feed.poll().state == "interrupted"
    with pytest.raises(RunDirectoryError, match="tuitrain resume a"):
        RemoteControl(feed.directory).stop()
