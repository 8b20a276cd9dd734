"""Seeds that train at once are ordinary runs: recorded, stopped, resumed, diverged, each by itself."""

import contextlib
import threading
import time
from pathlib import Path

import pytest

from support.training_small import tiny
from tuitrain.errors import RunDirectoryError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.history import History
from tuitrain.runs.predictions import right_of_runs
from tuitrain.runs.steering import RemoteControl
from tuitrain.study.member import Order
from tuitrain.study.plan import Plan, Setting
from tuitrain.study.together import train_members
from tuitrain.training.runtime import Runtime

pytestmark = pytest.mark.slow


def orders(folder: Path, seeds: tuple[int, ...] = (3, 4, 8), **train) -> list[Order]:
    preset = tiny(dataset="digits", rotation=0.0, **train)
    plan = Plan(
        "s", "seeds", (Setting("tiny", preset),), seeds, Runtime(device="cpu", threads=1, compile="off")
    )
    return [Order(member.run, folder, None, plan.job(member)) for member in plan.members()]


def history(order: Order) -> History:
    return History.of(RunDirectory.open(order.runs_dir / order.run).events())


def hashes(all_orders: list[Order]) -> list[str]:
    return [done.model_sha256 for order in all_orders if (done := history(order).finished) is not None]


def test_each_seed_is_a_run_that_can_be_stopped_and_resumed_to_the_same_bits(tmp_path) -> None:
    whole = orders(tmp_path / "whole", epochs=3)
    assert [ending.outcome for ending in train_members(whole)] == ["completed"] * 3
    assert [len(history(order).epochs) for order in whole] == [3, 3, 3]
    assert right_of_runs([order.runs_dir / order.run for order in whole]).mean(axis=1).tolist() == [
        history(order).epochs[-1].test_acc for order in whole
    ]
    assert len(set(hashes(whole))) == 3

    cut = orders(tmp_path / "cut", epochs=3)
    last = RunDirectory(cut[-1].runs_dir / cut[-1].run)

    def stop_one() -> None:
        while not (last.path / "events.jsonl").exists() or not History.of(last.events()).epochs:
            time.sleep(0.01)
        with contextlib.suppress(RunDirectoryError):  # it has ended
            RemoteControl(last).stop("a test")

    thread = threading.Thread(target=stop_one)
    thread.start()
    endings = {ending.outcome for ending in train_members(cut)}
    thread.join()
    assert endings <= {"stopped", "completed"}
    assert [ending.outcome for ending in train_members(cut)] == ["completed"] * 3
    assert hashes(cut) == hashes(whole)
    assert [e.test_loss for e in history(cut[1]).epochs] == [e.test_loss for e in history(whole[1]).epochs]


def test_a_seed_that_diverges_ends_alone_and_finished_ones_are_left(tmp_path) -> None:
    wild = orders(tmp_path, seeds=(1, 2), epochs=2, optimizer={"name": "sgd", "lr": 1e9})
    assert {ending.outcome for ending in train_members(wild)} == {"diverged"}
    before = [(order.runs_dir / order.run / "events.jsonl").read_bytes() for order in wild]
    assert {ending.outcome for ending in train_members(wild)} == {"diverged"}
    assert before == [(order.runs_dir / order.run / "events.jsonl").read_bytes() for order in wild]


def test_what_cannot_be_trained_at_once_is_trained_one_by_one(tmp_path) -> None:
    plateau = orders(tmp_path, seeds=(1, 2), epochs=1, schedule={"name": "plateau"})
    assert [ending.outcome for ending in train_members(plateau)] == ["completed", "completed"]
