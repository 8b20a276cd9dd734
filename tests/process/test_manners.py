"""What the terminal is told beside the screen, and the user's command at the end of a run: real terminals, real runs."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest

from support import warm
from support.shell_terminal import OVERRIDES, WarmTerminal, environment
from support.until import until

pytestmark = [pytest.mark.terminal, pytest.mark.timeout(240)]
#: Every run is a long one.
LONG = "import tuitrain.watch.manners as manners; manners.LONG_S = 0.0; "
HEADLESS = (
    LONG + "import sys; sys.argv = ['tuitrain', *{arguments!r}]; from tuitrain.__main__ import main; main()"
)
KEEP, BACK = b"\x1b[22;0t", b"\x1b[23;0t"
RUN = ["run", "--preset", "step13", "--dataset", "digits", "--epochs", "2"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {
        "TUITRAIN_RUNS_DIR": str(tmp_path / "runs"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TERM_PROGRAM": "",
    }


def headless(arguments: list[str], env: dict[str, str]) -> WarmTerminal:
    return WarmTerminal.command(code=HEADLESS.format(arguments=arguments), env=env)


def test_a_headless_run_tells_its_terminal_and_runs_the_users_command(
    tmp_path: Path, env: dict[str, str]
) -> None:
    got = tmp_path / "got.json"
    terminal = headless(RUN, env | {"TUITRAIN_ON_FINISH": f"cat > {got}; echo done; exit 7", "TMUX": "x"})
    assert terminal.ended(120) == 0, terminal.text  # whatever the command says
    raw = terminal.raw
    assert raw.count(KEEP) == raw.count(BACK) == 1 and raw.index(KEEP) < raw.index(BACK)
    assert b"\x1b]2;epoch 1/2 \xc2\xb7 step13\a" in raw and b"% \xc2\xb7 epoch 2/2 \xc2\xb7 step13\a" in raw
    assert raw.rindex(b"\x1b]2;") < raw.index(BACK)
    assert b"\a\x1bPtmux;\x1b\x1b]777;notify;tuitrain: step13;done after 2 epochs" in raw
    assert b"\x1bPtmux;\x1b\x1b]9;tuitrain: step13: done" in raw
    assert b"\x1b]8;" in raw and f"{env['TUITRAIN_RUNS_DIR']}/".encode() in raw  # a link to its folder
    assert "on_finish ended with code 7" in " ".join(terminal.text.split())
    result = json.loads(got.read_text())
    assert result["outcome"] == "completed" and result["epochs"] == 2
    terminal.close()


@pytest.mark.parametrize(
    ("arguments", "more"),
    [([*RUN, "--plain"], {}), (RUN, {"TERM": "dumb"}), ([*RUN, "--quiet"], {"TUITRAIN_NOTIFY": "false"})],
    ids=["plain", "dumb", "unwanted"],
)
def test_who_wants_no_codes_gets_none(
    env: dict[str, str], arguments: list[str], more: dict[str, str]
) -> None:
    terminal = headless(arguments, env | more)
    assert terminal.ended(120) == 0, terminal.text
    for code in (b"\x1b]777", b"\x1b]9;", b"\a\a"):
        assert code not in terminal.raw
    if "TUITRAIN_NOTIFY" not in more:
        assert KEEP not in terminal.raw and b"\x1b]2;" not in terminal.raw
    terminal.close()


def test_a_pipe_gets_text_alone(tmp_path: Path, env: dict[str, str]) -> None:
    done = warm.run(code=HEADLESS.format(arguments=[*RUN, "--json"]), env=environment(env))
    assert done.returncode == 0 and json.loads(done.stdout)["epochs"] == 2
    assert "\x1b" not in done.stderr + done.stdout and "\a" not in done.stderr


def test_sigterm_does_not_wait_for_the_users_command(tmp_path: Path, env: dict[str, str]) -> None:
    got = tmp_path / "got.json"
    go = tmp_path / "go"
    waits = f"for i in $(seq 1200); do [ -e {go} ] && break; sleep 0.05; done"
    command = f"cat > {got}.part; {waits}; mv {got}.part {got}"
    terminal = headless([*RUN[:-1], "500"], env | {"TUITRAIN_ON_FINISH": command})
    terminal.wait_until(lambda: re.search(rb"epoch ([2-9]|\d\d+)/500", terminal.raw))
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() == 143 and not got.exists()
    assert terminal.raw.rindex(BACK) > terminal.raw.rindex(b"\x1b]2;")
    terminal.close()
    go.touch()
    until(got.exists)  # it goes on without us
    assert json.loads(got.read_text())["outcome"] == "stopped"


def test_the_app_tells_who_does_not_look(tmp_path: Path, env: dict[str, str]) -> None:
    got = tmp_path / "got.json"
    env |= {"TUITRAIN_ON_FINISH": f"cat > {got}.part && mv {got}.part {got}; exit 3"}
    overrides = OVERRIDES | {"train.epochs": 12}  # some of them last longer than a look at the title
    runs = tmp_path / "runs"
    terminal = WarmTerminal.app(env, before=LONG, runs_dir=runs, overrides=overrides, start=True)
    while b"\x1b[?1004h" not in terminal.raw:
        assert terminal.read(0.05)
    terminal.key("\x1b[O")  # another window has the focus
    terminal.wait_for("Challenge", 120)  # the verdict
    told = b"\a\x1b]777;notify;tuitrain: step13;done after 12 epochs"
    terminal.wait_until(lambda: told in terminal.raw)
    assert re.search(rb"\x1b]2;[^\a]*epoch \d+/12 \xc2\xb7 step13\a", terminal.raw)
    terminal.wait_for("on_finish ended with code 3", 20)
    assert json.loads(got.read_text())["outcome"] == "completed"
    terminal.key("\x1b[I")
    terminal.key("q")
    assert terminal.ended() == 0
    assert terminal.raw.count(KEEP) == terminal.raw.count(BACK) == 1
    assert terminal.raw.rindex(BACK) > terminal.raw.rindex(b"\x1b]2;")
    terminal.close()
