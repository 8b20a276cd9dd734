"""Both front ends, driven with the same events, show the same figures and sentences of a run."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from support.monitor_recorded import recorded, report, up_to
from tuitrain.cli import live, markdown, run_table, verdict
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.exports import log_lines
from tuitrain.runs.history import History
from tuitrain.runs.index import summarise
from tuitrain.runs.run_json import run_json
from tuitrain.runs.session import Snapshot
from tuitrain.training.events import (
    CheckpointSaved,
    Control,
    EpochFinished,
    Event,
    Notice,
    Record,
    RunFinished,
    RunStarted,
    StepProgress,
    to_line,
)
from tuitrain.tui.monitor import headline, sheets
from tuitrain.watch import runlist
from tuitrain.watch.state import MonitorState, reduce, with_alive, with_phase

FIRST = recorded()[0].event
assert isinstance(FIRST, RunStarted)
STEPS = FIRST.steps_per_epoch
Item = Record | StepProgress | str  # a string is the phase that the training thread says it is in


# ------------------------------------------------------------------------------ streams of events


def started(draw: st.DrawFn) -> RunStarted:
    assert isinstance(FIRST, RunStarted)
    preset = dict(FIRST.preset)
    goals: dict[str, object] = {"max_parameters": 6000, "max_epochs": 15}
    goals |= draw(st.sampled_from([{"target_accuracy": 99.4}, {"target_accuracy": 50.0}, {}]))
    preset["challenge"] = draw(st.sampled_from([goals, goals, None]))
    if preset["challenge"] is None:
        del preset["challenge"]
    judge = draw(st.sampled_from(["test", "validation"]))
    own = draw(st.sampled_from([{}, {}, {"model": "net.py:Net", "sha256": "0"}]))
    return replace(FIRST, preset=preset, judged_by=judge, own_network=own, test_images=10_000)


@st.composite
def streams(draw: st.DrawFn) -> list[Item]:
    """What a trainer could say: epochs, commands and their answers, restarts from earlier places, an end."""
    out: list[Item] = []
    clock, done, planned = 1.0, 0, FIRST.epochs  # type: ignore[union-attr]

    def say(event: Event) -> None:
        out.append(Record(event, 1.7e9 + clock, clock))

    say(started(draw))
    accuracy = st.one_of(st.sampled_from([0.1, 0.5, 0.9939, 0.994, 0.9941, math.nan]), st.floats(0.05, 1))
    loss = st.one_of(st.floats(1e-4, 30), st.just(math.inf))
    for move in draw(st.lists(st.sampled_from(["epoch"] * 4 + ["step"] * 3 + MOVES), max_size=25)):
        clock = round(clock + draw(st.floats(0.1, 90)), 3)
        step = draw(st.integers(1, STEPS))
        source = draw(st.sampled_from(["", "keyboard", "trainer"]))
        match move:
            case "epoch" if done < planned:
                done += 1
                seconds = draw(st.floats(0.1, 40))
                say(EpochFinished(done, planned, draw(loss), draw(accuracy), draw(loss), draw(accuracy), 0.019,
                                  seconds, seconds / 9, clock, 900.0, 10_000))  # fmt: skip
            case "step" if done < planned:
                out.append(
                    StepProgress(done + 1, step, STEPS, draw(loss), draw(accuracy), 0.01, 800.0, 30.0, clock)
                )
            case "phase":
                out.append(
                    draw(st.sampled_from(["warming up", "compiling", "training", "evaluating", "saving"]))
                )
            case "pause":
                say(Control("paused", done, step, source=source))
                say(Control("resumed", done, step, source=source))
            case "rate":
                say(Control("learning_rate", done, step, 0.5 ** draw(st.integers(1, 30)), source=source))
            case "extend":
                more = draw(st.integers(1, 5))
                planned += more
                say(Control("extended", done, step, float(more), source=source))
            case "stop":
                say(Control("stop", done, step, detail="stop after this epoch", source=source))
            case "restart":
                done = draw(st.integers(0, done))
                say(Control("restarted", done, 0, detail="cpu"))
            case "notice":
                say(Notice("the disk is full", draw(st.sampled_from(["", "make room"])), "warning"))
            case "checkpoint":
                say(CheckpointSaved(done, step, "x", "0" * 64, False))
    if draw(st.booleans()):
        history = History.of(item for item in out if isinstance(item, Record))
        outcome = draw(st.sampled_from(["completed", "stopped", "diverged", "out_of_memory", "failed"]))
        best = history.best
        say(RunFinished(outcome, len(history.epochs), best.test_acc if best else math.nan, best.epoch if best else 0,
                        math.nan, math.nan, math.nan, clock, 900.0, draw(st.sampled_from(["", "because"]))))  # fmt: skip
    return out


MOVES = ["phase", "pause", "rate", "extend", "stop", "restart", "notice", "checkpoint"]


# ------------------------------------------------------------------------------ the two front ends


def drawn(what: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=400).print(what)
    return out.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


def painted(lines: sheets.HeadedLines) -> str:
    title, rows = lines
    return "\n".join("".join(text for text, _ in row) for row in (title, *rows))


class CommandLine:
    """What `tuitrain run` shows of it, on a terminal and elsewhere."""

    def __init__(self) -> None:
        self.bars = live.BarsView()
        self.plain = live.PlainView()
        self.history = History()
        self.said = ""

    def take(self, item: Item) -> None:
        """Shows one more; `said` are the new lines."""
        with contextlib.redirect_stderr(io.StringIO()) as out:
            match item:
                case Record():
                    self.plain.record(item)
                    self.bars.record(item)
                    self.history = self.history.add(item)
                case StepProgress():
                    self.bars.progress(Snapshot(item, None))
                case str():
                    self.bars.progress(Snapshot(self.bars.state.progress, item))
        self.said = out.getvalue()

    @property
    def picture(self) -> str:
        return flat(drawn(self.bars.picture()))


class Application:
    """What the monitor shows of it."""

    def __init__(self) -> None:
        self.state = MonitorState(phase="starting")
        self.said: list[str] = []

    def take(self, item: Item) -> None:
        """Shows one more; `said` are the new lines of the log."""
        before = len(self.state.log)
        self.state = with_phase(self.state, item) if isinstance(item, str) else reduce(self.state, item)
        self.said = [line.text for line in self.state.log[before:]]

    @property
    def picture(self) -> str:
        return flat("\n".join(headline.brief(self.state)))

    @property
    def verdict(self) -> str:
        return painted(sheets.verdict(self.state, (), 400))


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bars are drawn when they are asked for, not eight times a second."""
    monkeypatch.setattr("rich.live.Live.start", lambda self: None)
    monkeypatch.setenv("TZ", "UTC")
    yield


def found(pattern: str, text: str) -> tuple[str, ...] | None:
    match = re.search(pattern, text)
    return match.groups() if match else None


# ------------------------------------------------------------------------------ held to each other


def check_line(item: Record, shell: CommandLine, app: Application) -> None:
    """One event in words: on the command line, in `log.txt`, in the monitor's log."""
    in_file = log_lines(item, shell.history)
    match item.event:
        case Control():
            assert shell.said.splitlines() == app.said * 2 == in_file * 2  # both views say it
        case Notice(level=level):
            (text,) = app.said
            assert shell.said.splitlines() == in_file * 2 == [f"{level}: {text}"] * 2
        case RunFinished():
            assert app.said == in_file
        case EpochFinished():
            (text,), (line, again) = app.said, shell.said.splitlines()
            right = found(r"(\S+)/10000 \(", text)
            assert line == again and right == found(r"(\d+)/10000 \(", line)
            loss = found(r"(test|validation) loss (\S+?(?: finite)?)(?:,| |$)", text)
            assert loss == found(r"(test|validation) loss (\S+(?: finite)?) acc", line)
            if right is not None:
                assert f"Accuracy: {right[0]}/10000" in in_file[-1]
                assert found(r"\((\S+ %)\)", text) == found(r"\((\S+ %)\)", line)


def check_picture(shell: CommandLine, app: Application) -> None:
    """The bars of the command line beside the headline of the monitor."""
    bars, head = shell.picture, app.picture
    if app.state.over:
        return
    if "ETA" not in bars:  # nothing to draw bars of yet
        assert bars == f"{app.state.status_text} …" and app.state.progress is None
        return
    assert found(r"ETA (\S+)", bars) == found(r"ETA (\S+)", head)
    assert found(r" run [^\d]*(\d+/\d+) ", bars) == found(r"epoch (\d+/\d+)", head)
    best = found(r"best (\S+ %) in epoch (\d+)", bars)
    assert best == found(r"best (\S+ %) in epoch (\d+)", head)
    if best:
        assert found(r"(?:test|validation) acc (\S+)", bars) == found(r"last (\S+)", head)
    word = app.state.status_text
    assert bars.split("ETA ")[1].split(" ", 1)[1].startswith(word) and f" {word} " in f"{head} "


def check_verdict(shell: CommandLine, app: Application) -> None:
    """The verdict as `tuitrain run` and `runs show` print it, in Markdown, and on the monitor's sheet."""
    printed = drawn(verdict.verdict_text(shell.history, Path("runs/a")))
    page = markdown.result_text(shell.history).replace("\\", "")
    if app.state.finished is None:
        return
    sheet = app.verdict
    title = sheet.splitlines()[0].strip(" ✓✗·")
    challenge = f"{title[:1].lower()}{title[1:]}"
    assert challenge in printed
    assert challenge in page or challenge == "no challenge was set for this preset"
    best = found(r"best (test|validation) accuracy \(epoch (\d+)\) +(\S+) %", sheet)
    assert best == found(r"best (test|validation) accuracy \(epoch (\d+)\) +(\S+) %", printed)
    assert best == found(r"best (test|validation) accuracy \(epoch (\d+)\) \| (\S+) %", page)
    for label in ("mean of the last", "best running train accuracy", "last test accuracy"):
        pattern = rf"({label}(?: \d epochs?)?) (\S+)"
        assert found(pattern, flat(sheet)) == found(pattern, flat(printed))
    for row in sheet.splitlines():
        if re.match(r" (At the end|The best epoch|Judged by|One run|The source)", row):
            assert row.strip() in flat(printed) and row.strip() in flat(page)
    finished = app.state.finished
    if finished.message:
        assert all(finished.message in text for text in (sheet, printed, page))
    glyph, word = headline.brief(app.state)[0].split("  ")[0].split(" ", 1)
    assert drawn(verdict.verdict_text(shell.history, Path("a"))).strip().startswith(f"{glyph} {word}")
    assert page.startswith(f"### {glyph} ") and f": {word}\n" in page


def check_row(shell: CommandLine, app: Application, records: list[Record], path: Path) -> None:
    """`tuitrain runs` beside the table of the Runs screen and the details of a row, and the JSON."""
    path.mkdir(exist_ok=True)
    (path / "run.lock").touch()
    (path / "events.jsonl").write_text("".join(to_line(record) + "\n" for record in records))
    summary = summarise(path)
    cells, row = run_table.run_cells(summary), runlist.row_of(summary)
    shown = {column.name: column.text(row, 0.0) for column in runlist.COLUMNS}
    for name in ("best", "last"):
        assert cells[name].removesuffix(" %") == shown[name]
    assert (cells["≥target"], cells["params"], cells["epochs"], cells["took"]) == (
        shown["target"], shown["params"], shown["epochs"], shown["took"],
    )  # fmt: skip
    state = with_alive(app.state, False)  # nobody works on it
    assert cells["state"] == runlist.details(row).split("  ")[0].split(":")[0]
    assert cells["state"] == headline.brief(state)[0].split("  ")[0]
    best = found(r"best (\S+) in epoch (\d+), last (\S+)", runlist.details(row))
    head = found(r"best (\S+) % in epoch (\d+), last (\S+)", headline.brief(state)[1])
    assert best == head
    said = run_json(History.of(RunDirectory(path).events()), path)
    assert said["epochs_at_target"] == list(state.hits)
    assert cells["≥target"] == ("–" if state.target is None else str(len(said["epochs_at_target"])))
    assert said["best_epoch"] == (int(best[1]) if best else None)
    assert said["seconds"] == pytest.approx(summary.seconds) == pytest.approx(state.history.seconds)
    marks = re.findall(r"^ *(\d+) ([★✓ ]) ", painted(sheets.epochs(state)), re.MULTILINE)
    starred = [int(number) for number, mark in marks if mark == "★"]
    assert starred == ([said["best_epoch"]] if best else [])
    ticked = {int(number) for number, mark in marks if mark == "✓"}
    assert ticked | (set(starred) & set(state.hits)) == set(state.hits)


def drive(stream: list[Item], folder: Path) -> None:
    shell, app = CommandLine(), Application()
    for item in stream:
        shell.take(item)
        app.take(item)
        if isinstance(item, Record):
            check_line(item, shell, app)
        check_picture(shell, app)
    check_verdict(shell, app)
    check_row(shell, app, [item for item in stream if isinstance(item, Record)], folder / "a")


@settings(max_examples=100)
@given(streams())
def test_random_runs(tmp_path_factory: pytest.TempPathFactory, stream: list[Item]) -> None:
    drive(stream, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("epochs", [0, 1, 7, 13])
def test_the_recorded_run_in_the_middle(tmp_path: Path, epochs: int) -> None:
    first = up_to(recorded(), epochs) if epochs else recorded()[:1]
    drive([*first, report(epochs + 1, 100), report(epochs + 1, 665)], tmp_path)


def test_the_recorded_run_to_its_end(tmp_path: Path) -> None:
    drive([*recorded()], tmp_path)


def test_a_run_that_is_taken_up_again_is_shown_with_its_earlier_epochs() -> None:
    """As `tuitrain resume` shows it: its view begins with what was recorded before."""
    earlier = up_to(recorded(), 5)
    again = Record(Control("restarted", 5, 0, detail="cpu"), 1.7e9, 600.0)
    bars, plain, state = live.BarsView(earlier), live.PlainView(earlier), MonitorState()
    for record in (*earlier, again):
        state = reduce(state, record)
    with contextlib.redirect_stderr(io.StringIO()):
        for view in (bars, plain):
            view.record(again)
        bars.progress(Snapshot(report(6, 100), "training"))
    state = with_phase(reduce(state, report(6, 100)), "training")
    shown = flat(drawn(bars.picture()))
    assert "6/14" in shown and found(r"ETA (\S+)", shown) == found(r"ETA (\S+)", headline.brief(state)[0])
    best = r"best (\S+ %) in epoch (\d)"
    assert found(best, shown) == found(best, headline.brief(state)[1]) is not None
