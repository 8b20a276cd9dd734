"""Which presets are meant, and how a reproduction grows."""

from dataclasses import replace

import pytest

from support.groups_made import plan
from tuitrain.errors import PresetError, UsageError
from tuitrain.study.plan import Plan
from tuitrain.study.reproduction import extended, presets_named, with_slugs


def test_families_presets_and_files_are_named_together_each_once(tmp_path) -> None:
    ladder = presets_named(["era-s7"])
    assert ladder == [f"step{n}" for n in range(1, 14)]
    assert presets_named(["step13", "era-s7", "drill1"]) == ["step13", *ladder[:-1], "drill1"]
    assert presets_named(["twelvek"]) == ["twelvek"]  # a preset before a family
    assert presets_named(["twelvek/"]) == ["twelvek", "twelvek-bn-relu"]
    assert presets_named([f"{tmp_path}/mine.toml"]) == [f"{tmp_path}/mine.toml"]


@pytest.mark.parametrize(
    ("name", "hint"), [("era-s8", "era-s7"), ("qqqq", "drilldown, era-s7"), ("", "families")]
)
def test_an_unknown_family_is_refused_with_what_there_is(name: str, hint: str) -> None:
    with pytest.raises(PresetError, match=hint):
        presets_named([name])


def reproduction(*labels: str, **more) -> Plan:
    made = plan(*labels, **more)
    return replace(made, kind="reproduction", settings=with_slugs(made.settings))


def test_more_presets_and_seeds_come_after_those_that_are_there() -> None:
    old = reproduction("a", "b", seeds=(0, 1))
    new = reproduction("a", "b", "c", seeds=(0, 1, 2))
    grown = extended(old, new)
    assert [setting.label for setting in grown.settings] == ["a", "b", "c"] and grown.seeds == (0, 1, 2)
    before = {member.run for member in old.members()}
    assert before < {member.run for member in grown.members()} and len(set(grown.members())) == 9
    assert extended(grown, old) == grown


def test_a_study_that_is_something_else_is_not_extended() -> None:
    with pytest.raises(UsageError, match="no reproduction"):
        extended(plan("a"), reproduction("a"))
    old, other = reproduction("a", "b"), reproduction("c", "a")
    with pytest.raises(UsageError, match="with other settings"):
        extended(old, other)
