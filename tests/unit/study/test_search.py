"""A search: what is trained follows from accuracies alone, whatever cuts it off; its front, its files, its mistakes."""

import json
import math
import random
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.executor_told import Told
from support.groups_made import history
from tuitrain.cli.root import app
from tuitrain.errors import ExitCode, RunDirectoryError, TuitrainError, UsageError
from tuitrain.report.front import write_front
from tuitrain.runs.directory import RunDirectory
from tuitrain.spec.preset import preset_from_toml, read_preset
from tuitrain.study.journal import JOURNAL, Journal
from tuitrain.study.kinds import BoardReader
from tuitrain.study.member import Ending
from tuitrain.study.plan import Plan
from tuitrain.study.reading import StudyReader
from tuitrain.study.search_plan import SearchPlan
from tuitrain.study.search_result import board_of, network_words
from tuitrain.study.sides import find_side
from tuitrain.study.space import Choice, Range, build
from tuitrain.study.store import StudyDirectory, create_study
from tuitrain.study.training import StudyTraining
from tuitrain.study.watching import StudyWatcher
from tuitrain.training.events import Record
from tuitrain.watch.search import Standing, cant_reach, search_json, search_lines

pytest.importorskip("optuna")

BASE = preset_from_toml(
    """
name = "small"
[train]
dataset = "digits"
epochs = 2
val_split = 250
val_split_seed = 0
[model]
layers = [{ conv = 4, stride = 2, then = ["relu"] }, { conv = 8, stride = 2 }, { conv = 10 }, { global_avgpool = true }]
""",
    "test",
)
SPACE = {
    "model.layers[0].conv": Range(2, 12),
    "model.layers[1].conv": Range(2, 16),
    "model.layers[1].groups": Choice((1, "separable")),
    "train.optimizer.lr": Range(0.01, 0.5, log=True),
}


def plan(trials: int = 10, most: int = 1500, space=SPACE, **more) -> Plan:
    found = SearchPlan(BASE, BASE, "small.toml", space, most, 90.0, trials, round_size=4, **more)
    return Plan("found", "search", (), (0, 1, 2), search=found.to_dict())


def accuracy(preset) -> float:
    """The more parameters the better, and the nearer the rate to 0.1."""
    size = preset.table().parameters
    rate = abs(math.log10(preset.train.optimizer.lr) + 1)
    return 0.99 - 20 / size - rate / 6 - preset.train.seed / 2000


def trained(order) -> Ending:
    made = history([0.5, accuracy(order.job.preset)], order.job.preset.train.seed, images=10_000)
    directory = RunDirectory.create(order.runs_dir, "made", name=order.run)
    for event in (made.started, *made.epochs, made.finished):
        directory.append(Record(event, 1.0, 1.0))
    directory.close()
    return Ending(order.run, "completed")


def train(study: StudyDirectory, answer=trained, at_once: int = 3) -> Told:
    told = Told(answer)
    StudyTraining(study, study.plan(), told, at_once=at_once).run()
    return told


def outcome(study: StudyDirectory) -> list:
    made = study.plan()
    return [(setting.slug, dict(setting.chosen), made.seeds_of(n)) for n, setting in enumerate(made.settings)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> StudyDirectory:
    study = create_study(tmp_path_factory.mktemp("whole"), plan())
    train(study)
    return study


def test_no_network_over_the_limit_is_trained_and_weak_ones_get_no_more_seeds(whole) -> None:
    made = whole.plan()
    sizes = [setting.preset.table().parameters for setting in made.settings]
    assert len(sizes) == 10 and max(sizes) <= 1500 and made.to_come == 0
    board = board_of(made, StudyReader(whole.runs_dir, made).groups())
    assert board.over > 0 and board.sampled >= board.over + 10
    given = [len(made.seeds_of(n)) for n in range(10)]
    assert (
        min(given) == 1
        and max(given) == 3
        and sum(trial.left for trial in board.trials) == given.count(1) + given.count(2)
    )
    front = board.front
    assert [t.parameters for t in front] == sorted(t.parameters for t in front) and len(front) > 1
    assert all(len(trial.group.ended) == 3 for trial in front)
    for trial in board.trials:
        better = [o for o in board.trials if o.parameters <= trial.parameters and o.mean > trial.mean]
        assert bool(better) == (trial not in front)
    said = " ".join(search_lines(board))
    assert (
        f"{board.over} over 1,500 parameters" in said
        and "fewer than 3 seeds" in said
        and "rather too high" in said
    )
    assert [t["trial"] for t in search_json(board)["trials"] if t["on_front"]] == sorted(
        t.slug for t in front
    )
    table, lines = BoardReader(made).look(StudyReader(whole.runs_dir, made).groups(), held=False)
    assert len(table.rows) == 10 and [row.cells[0] for row in table.rows].count("front") == len(front)
    assert lines == search_lines(board)


@pytest.mark.parametrize("seed", range(3))
def test_a_search_that_is_cut_off_again_and_again_comes_to_the_same(
    tmp_path, whole, seed, monkeypatch
) -> None:
    """Killed while it trains and while it chooses, also within a line of the journal, and with other numbers at a time."""
    rng = random.Random(seed)
    study = create_study(tmp_path, plan())
    real, cut_off = Journal.ask, [False]

    def ask(self):
        found = real(self)
        if rng.random() < 0.2:
            cut_off[0] = rng.random() < 0.5  # while it wrote
            raise KeyboardInterrupt
        return found

    def answer(order) -> Ending:
        if rng.random() < 0.2:
            raise KeyboardInterrupt
        return trained(order)

    monkeypatch.setattr(Journal, "ask", ask)
    cuts = 0
    while True:
        try:
            train(study, answer, at_once=rng.choice([1, 2, 5]))
            break
        except KeyboardInterrupt:
            cuts += 1
            if cut_off[0]:
                journal, cut_off[0] = study.path / JOURNAL, False
                raw = journal.read_bytes()
                last = raw.rstrip(b"\n").rfind(b"\n") + 1
                journal.write_bytes(raw[: last + (len(raw) - last) // 2])
    assert cuts > 2 and outcome(study) == outcome(whole)


def test_the_files_of_the_front_are_presets_that_are_judged_on_the_test_set(whole) -> None:
    made = whole.plan()
    board = board_of(made, StudyReader(whole.runs_dir, made).groups())
    (whole.path / "front").mkdir(exist_ok=True)
    (whole.path / "front" / "900-t999.toml").write_text("of an earlier front")
    left = write_front(whole, made, board)
    files = sorted((whole.path / "front").glob("*.toml"))
    assert sorted(one["preset"] for one in left["presets"]) == list(map(str, files)) and len(files) == len(
        board.front
    )
    for file, one in zip(files, sorted(left["presets"], key=lambda one: one["preset"]), strict=True):
        preset, text = read_preset(file), file.read_text()
        assert (
            preset.train.val_split == 0 and preset.train.val_split_seed is None and not preset.claims.figures
        )
        assert preset.table().parameters == int(file.name.split("-")[0])
        assert one["judge"].endswith(f"-p {file} --seeds 3-12") and one["judge"] in text
    picture = Path(left["picture"]).read_text()
    root = ElementTree.fromstring(picture)
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(f"{board.front[0].parameters:,} parameters" in str(title) for title in titles)
    assert "prefers-color-scheme: dark" in picture and "target 90 %" in picture


def test_a_lost_journal_is_made_again_and_a_damaged_one_is_named(tmp_path) -> None:
    study = create_study(tmp_path, plan())
    train(study)
    made = study.plan()
    grown = replace(made, search={**made.search, "trials": 14})
    study.write_plan(grown)
    journal = study.path / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b"\x00\xff no json\n", *lines[5:]]))
    with pytest.raises(
        RunDirectoryError, match=r"journal.log is damaged \(line 6 is no JSON\).*move it away"
    ):
        train(study)
    journal.write_bytes(b"".join([*lines[:5], b'{"op_code": 99, "worker_id": "x"}\n', *lines[5:]]))
    with pytest.raises(RunDirectoryError, match=r"is damaged"):
        train(study)
    journal.unlink()
    told = train(study)
    assert {order.run.split("_")[1] for order in told.orders} == {f"t{n:03d}" for n in range(10, 14)}
    assert outcome(study)[:10] == [
        (s.slug, dict(s.chosen), made.seeds_of(n)) for n, s in enumerate(made.settings)
    ]


def test_a_space_without_another_network_ends_the_search_and_one_without_any_is_an_error(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("tuitrain.study.search.MOST_CHOICES", 25)
    few = {"model.layers[0].conv": Choice((2, 3, 12)), "train.optimizer.lr": Choice((0.1,))}
    study = create_study(tmp_path, plan(trials=8, most=1200, space=few))
    train(study)
    made = study.plan()
    board = board_of(made, StudyReader(study.runs_dir, made).groups())
    assert (
        len(made.settings) == 2
        and board.exhausted
        and made.to_come == 0
        and "hardly another" in search_lines(board)[1]
    )
    none = create_study(tmp_path / "none", plan(most=100))
    with pytest.raises(UsageError, match="none of 25 networks of the space has at most 100 parameters"):
        train(none)


def test_a_full_disk_says_so_and_loses_nothing(tmp_path, whole, monkeypatch) -> None:
    study = create_study(tmp_path, plan())
    real, left = StudyDirectory.change_plan, [3]

    def change(self, **changes):
        left[0] -= 1
        if not left[0]:
            raise RunDirectoryError("the plan can't be written: No space left on device.")
        real(self, **changes)

    monkeypatch.setattr(StudyDirectory, "change_plan", change)
    with pytest.raises(TuitrainError, match="No space left"):
        train(study)
    train(study)
    assert outcome(study) == outcome(whole)


def test_members_that_could_not_be_written_are_tried_again_and_nothing_is_decided(tmp_path, whole) -> None:
    full = [True]

    def answer(order) -> Ending:
        if full[0] and "_t00" in order.run and int(order.run.split("_t")[1][:3]) > 4:
            return Ending(order.run, "refused", "No space left on device.", int(ExitCode.RUN_DIRECTORY))
        return trained(order)

    study = create_study(tmp_path, plan())
    with pytest.raises(RunDirectoryError, match="No space left"):
        train(study, answer)
    full[0] = False
    train(study, answer)
    assert outcome(study) == outcome(whole)


def test_a_search_that_has_chosen_nothing_yet_is_looked_at_and_resumed(tmp_path) -> None:
    study = create_study(tmp_path, plan())
    study.release()
    for arguments in (["study", "show", "found"], ["study"], ["study", "show", "found", "--json"]):
        done = CliRunner().invoke(app, [*arguments, "--runs-dir", str(tmp_path)])
        assert done.exit_code == 0, done.output
    with pytest.raises(RunDirectoryError, match="no network yet"):
        StudyWatcher(study)
    with pytest.raises(RunDirectoryError, match="no network yet"):
        find_side(tmp_path, "found")


def test_a_network_that_fails_is_not_chosen_for_the_front(tmp_path) -> None:
    def answer(order) -> Ending:
        if "_t001_" in order.run:
            return Ending(order.run, "refused", "too large for this device", 1)
        return trained(order)

    study = create_study(tmp_path, plan(trials=4))
    train(study, answer)
    made = study.plan()
    board = board_of(made, StudyReader(study.runs_dir, made).groups())
    assert board.trials[1].mean is None and board.broken == 1 and len(made.settings) == 4


def test_only_what_is_behind_by_more_than_seeds_can_vary_can_not_reach_the_front() -> None:
    best = Standing(1000, 0.99, 3, 10_000)
    assert cant_reach(Standing(1000, 0.97, 1, 10_000), [best])
    assert not cant_reach(Standing(1000, 0.989, 1, 10_000), [best])
    assert not cant_reach(Standing(999, 0.5, 1, 10_000), [best])  # smaller: nothing can be said
    assert not cant_reach(best, [best])


def test_networks_in_a_few_words() -> None:
    made = build(BASE, {"model.layers[1].groups": "separable", "model.layers[2].kernel": 5})
    assert network_words(made) == "4 8s 10/5"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--max-params", "5"], "--max-params 5: the smallest network of the space has"),
        (["--trials", "10000000"], "10,000,000 networks with 3 seeds are 30,000,000 runs"),
        (["--val-split", "0"], "never judged by the test set"),
        (["--val-split", "5000"], "training images; use fewer"),
        (["--timeout", "soon"], "--timeout 'soon'"),
        (["--space", "/nowhere.toml"], "--space /nowhere.toml can't be read"),
        (["--preset", "step99"], "step99"),
    ],
)
def test_what_can_not_be_searched_is_refused_with_a_sentence(tmp_path, arguments, sentence) -> None:
    done = CliRunner().invoke(app, ["search", "--dataset", "digits", "--runs-dir", str(tmp_path), *arguments])
    assert isinstance(done.exception, TuitrainError) and sentence in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_the_plan_says_what_is_searched_and_a_damaged_one_is_named(tmp_path) -> None:
    study = create_study(tmp_path, plan())
    assert SearchPlan.from_dict(study.plan().search, "x").space == SPACE
    data = json.loads((study.path / "plan.json").read_text())
    data["search"]["space"] = {"train.dropout": {"low": "a"}}
    (study.path / "plan.json").write_text(json.dumps(data))
    with pytest.raises(RunDirectoryError, match="is damaged"):
        train(study)
