"""What a study says line by line while it trains."""

from dataclasses import replace

from support.groups_made import group, history
from tuitrain.cli.study_view import PlainLines
from tuitrain.watch.group import SeedRun


def test_a_stopped_member_that_may_go_on_is_told_at_the_end(capsys) -> None:
    made = group("made", [[True, False], [True, True]])
    stopped = SeedRun(7, "made7", "stopped", history([0.5], 7, "stopped"))
    lines = PlainLines()
    lines.show([replace(made, runs=(*made.runs, stopped))])
    said = capsys.readouterr().err
    assert said.splitlines()[-1].endswith("(2 of 3)") and "stopped" not in said
    lines.close()
    assert "seed 7" in (said := capsys.readouterr().err) and said.endswith("stopped  (3 of 3)\n")
