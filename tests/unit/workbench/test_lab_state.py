"""The lab without its screen: what follows from what is edited, and the way from there to a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tuitrain.training.job import Job
from tuitrain.tui.lab.starter import Starter
from tuitrain.tui.shell.question import Question
from tuitrain.workbench.lab_state import LabState, TriedNetwork, name_refused
from tuitrain.workbench.settings import Settings


class Front:
    """A screen that answers as it is told, and writes down what it is asked."""

    def __init__(self, answer: str | None = None, wrong: str = "") -> None:
        self.answer, self.wrong = answer, wrong
        self.said: list[str] = []
        self.asked: list[Question] = []
        self.started: list[Job] = []
        self.layer = -1

    def first_error(self) -> str:
        return self.wrong

    def go_to_layer(self, index: int) -> None:
        self.layer = index

    def say(self, text: str, title: str = "", timeout: float = 10) -> None:
        self.said.append(f"{title}: {text}" if title else text)

    def ask(self, question: Question, answered: Callable[[str], None]) -> None:
        self.asked.append(question)
        if self.answer is not None:
            answered(self.answer)

    def go_on(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)

    def look_at_data(self) -> None:
        pass

    def show_progress(self, text: str) -> None:
        pass

    def start(self, job: Job) -> None:
        self.started.append(job)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabState:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    found = LabState(lambda: None)
    assert found.open(Settings(tmp_path / "runs", tmp_path / "data"), "step13") == []
    return found


def test_a_run_on_data_that_is_here_is_started_at_once_and_only_once(state: LabState) -> None:
    front = Front()
    starter = Starter(state, front)
    state.editor.set_value("train.dataset", "digits")
    starter.start()
    starter.start()
    (order,) = front.started
    assert order.preset.train.dataset == "digits" and order.budget == 6000 and not front.asked
    assert order.changed == {"train.dataset": ["mnist", "digits"]}
    assert order.command.startswith("tuitrain run --preset step13 --dataset digits")
    starter.again()  # meant this time
    assert front.started == [order, order]


def test_what_can_not_be_trained_is_refused(state: LabState) -> None:
    front = Front(wrong="must be below 1")
    Starter(state, front).start()
    assert front.said == ["not started: one field is not valid yet: must be below 1"]
    front = Front()
    state.editor.set_layer(4, "kernel", 31)
    Starter(state, front).start()
    assert front.layer == 4 and front.said[0].startswith("can't be started: conv4: conv 31×31")
    assert state.table is None and state.points() is None and not front.started
    Starter(LabState(lambda: None), front).again()
    assert front.said[-1] == "nothing was started from here yet"


@pytest.mark.parametrize("answer", ["yes", None])
def test_a_network_over_its_budget_is_asked_about(state: LabState, answer: str | None) -> None:
    front = Front(answer)
    state.editor.set_value("train.dataset", "digits")
    state.editor.widen(1)
    assert state.warning(state.rows()).startswith("54 over budget; most in conv4")
    Starter(state, front).start()
    assert front.asked[0].question_title == "Start 54 parameters over the budget?"
    assert [order.budget for order in front.started] == ([None] if answer else [])


@pytest.mark.parametrize(("answer", "started"), [("digits", ["digits"]), (None, [])])
def test_missing_data_is_asked_about(
    state: LabState, answer: str | None, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUITRAIN_DATA_DIR", raising=False)
    front = Front(answer)
    monkeypatch.setattr(front, "go_on", later := Later(front))
    Starter(state, front).start()
    later.run()
    assert front.asked[0].question_title == "mnist is not here yet"
    assert [order.preset.train.dataset for order in front.started] == started


class Later:
    """Runs what it is given when it is told to."""

    def __init__(self, front: Front) -> None:
        self.work: list[Coroutine[Any, Any, None]] = []

    def __call__(self, work: Coroutine[Any, Any, None]) -> None:
        self.work.append(work)

    def run(self) -> None:
        while self.work:
            asyncio.run(self.work.pop())


def test_what_is_saved_is_in_the_lab_with_its_story_and_without_claims(state: LabState) -> None:
    state.editor.set_value("train.dropout", 0.2)
    state.editor.set_value("lab.budget", 9000)
    assert state.save_name() == "step13-mine"
    path = state.save("step13-mine", overwrite=False)
    assert path.exists() and state.name == "step13-mine" and not state.editor.is_changed
    assert state.base.story.change == "dropout 0.069 → 0.2" and state.base.claims.test_accuracy is None
    assert state.editor.budget == 9000 and state.save_name() == "step13-mine"
    assert name_refused("step12").startswith("'step12' is the name of a built-in preset")
    assert name_refused("step13-mine") == ""


def test_a_preset_or_flag_that_can_not_be_used_is_said_and_the_lab_opens(state: LabState) -> None:
    problems = state.open(state.settings, "step31", {"train.dropout": 3})
    assert [title for title, _ in problems] == ["preset", "flags"] and state.name == "step13"


def test_a_network_in_python_has_the_figures_of_trying_it_out(tmp_path: Path) -> None:
    state = LabState(lambda: None)
    state.open(Settings(tmp_path), "step13", model="net.py:Net")
    assert state.rows() == [] and state.parameters is None and state.trying_out and not state.warning([])
    assert state.refused("no") == "net.py:Net is a network in Python; no"
    state.user_network = TriedNetwork(problem="it is too loud")
    assert state.warning([]) == "it is too loud"
    assert "--preset step13" in state.command() and "--model net.py:Net" in state.command()
