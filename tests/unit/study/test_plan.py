"""A study's plan: seeds as they are written, names of members, the plan on disk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.groups_made import plan
from tuitrain.errors import RunDirectoryError, UsageError
from tuitrain.runs.names import MAX_CHARS, safe_name
from tuitrain.study.plan import seeds_of, study_name
from tuitrain.study.store import create_study, find_study, fresh_study_name, list_studies


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("3", (5, 6, 7)),
        ("3,7,11", (3, 7, 11)),
        ("20-22", (20, 21, 22)),
        ("1, 4-6,9", (1, 4, 5, 6, 9)),
        ("7,", (7,)),
        ("0-0", (0,)),
    ],
)
def test_seeds_are_a_number_of_them_or_a_list(text: str, seeds: tuple[int, ...]) -> None:
    assert seeds_of(text, first=5) == seeds


@pytest.mark.parametrize(
    "text", ["0", "", ",", "x", "-3", "3,x", "5-2", "1.5", "3,3", "1-4,2", "9" * 30, "1-999999999", "1e3"]
)
def test_seeds_that_cannot_be_read_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        seeds_of(text)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=20, unique=True))
def test_a_list_of_seeds_is_read_back(seeds: list[int]) -> None:
    assert seeds_of(",".join(map(str, seeds))) == tuple(seeds)


def test_members_come_seed_by_seed_with_names_of_their_own() -> None:
    made = plan("one", "two", seeds=(4, 9))
    members = list(made.members())
    assert [(m.setting, m.seed) for m in members] == [(0, 4), (1, 4), (0, 9), (1, 9)]
    assert len({m.run for m in members}) == 4
    assert all(m.run.startswith("study_") and safe_name(m.run) == m.run for m in members)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=5), st.text(), st.integers(0, 2**63 - 1))
def test_names_of_members_are_whole_and_different_whatever_the_labels(
    labels: list[str], name: str, seed: int
) -> None:
    made = plan(*labels, seeds=(seed,), name=study_name(name) or "x")
    runs = [member.run for member in made.members()]
    assert len(set(runs)) == len(labels)
    assert all(len(run) <= MAX_CHARS + 20 for run in runs)


def test_a_members_job_has_its_seed_in_preset_and_command() -> None:
    made = plan("one")
    job = made.job(made.member(0, 77))
    assert (job.preset.train.seed, job.command, job.study) == (
        77,
        "tuitrain run --preset tiny --seed 77 --x 0",
        "study",
    )
    assert "train.seed" not in job.changed


def test_a_plan_is_the_same_after_it_was_written(tmp_path) -> None:
    made = plan("one", "two", gain=0.0005, doublings=1, command="tuitrain duel", budget=6000, began=12.5)
    study = create_study(tmp_path, made)
    study.release()
    assert json.dumps(study.plan().to_dict()) == json.dumps(made.to_dict())


def test_a_taken_name_gets_a_number_and_a_name_that_runs_begin_with_is_taken(tmp_path) -> None:
    for wanted in ("study", "study-2"):
        study = create_study(tmp_path, plan("one"))
        study.release()
        assert study.name == wanted
    (tmp_path / "mine_seed3").mkdir()
    assert create_study(tmp_path, plan("one", name="mine")).name == "mine-2"


def test_a_study_is_found_by_part_of_its_name(tmp_path) -> None:
    for name in ("2026-a_step13_1111", "2026-b_step13_2222"):
        create_study(tmp_path, plan("one", name=name)).release()
    found = find_study(tmp_path, "2222")
    assert found is not None and found.name == "2026-b_step13_2222"
    assert find_study(tmp_path, "step11") is None
    with pytest.raises(RunDirectoryError, match="may be 2"):
        find_study(tmp_path, "2026-")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"schema": 1}', '{"schema": 99}', '{"settings": 3, "seeds": [1]}', "[" * 9999]
)
def test_a_damaged_plan_is_one_sentence_and_stays_in_the_list(tmp_path, text: str) -> None:
    study = create_study(tmp_path, plan("one"))
    study.release()
    (study.path / "plan.json").write_text(text)
    assert [one.name for one in list_studies(tmp_path)] == ["study"]
    with pytest.raises(RunDirectoryError, match=r"damaged|later version"):
        study.plan()


def test_a_study_that_is_trained_is_not_taken_twice(tmp_path) -> None:
    study = create_study(tmp_path, plan("one"))
    with pytest.raises(RunDirectoryError, match="is trained by process"):
        find_study(tmp_path, "study").acquire()  # type: ignore[union-attr]
    study.release()


def test_a_fresh_name_is_short_enough_for_members() -> None:
    assert len(fresh_study_name("a-preset-with-a-very-long-name-indeed")) <= 48
