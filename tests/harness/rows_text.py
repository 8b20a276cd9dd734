"""Markup and control characters in every text that a user can give: on every line printed and on every screen."""

from __future__ import annotations

import json
import re

from harness.bench import Bench
from harness.rows_terminal import Screen, until
from harness.table import Figure, row
from tuitrain.errors import visible

# ---------------------------------------------------------------------------------------- text

TEXTS = (
    "[/b]", "[bold red]x[/]", "\x1b[2J\x1b[1;1H", "\x1b]0;title\x07", "\x9b2J", "a\rb", "\x08\x08", "\u202egnp.exe",
    "[link=http://x]y", "%s %d {0}", "\x1b]8;;http://x\x1b\\y", "\u2066\u2069", "\x00", "[", "]", "\\[/b]", "\x7f",
)  # fmt: skip


_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@row(
    "text",
    "markup and control characters in titles, names, exception texts, paths, log lines: commands and log",
    "shown literally on every line, 0 crashes",
    quick=1,
    whole=17,
    teeth={"raw_text": "text shown as it comes"},
    teeth_times=3,
)
def text(bench: Bench, times: int) -> Figure:
    """Each text as title, name, note, key, value and path; nothing printed may steer a terminal or be markup."""
    lines = crashes = missing = 0
    steering: list[str] = []
    for number, given in enumerate(bench.random.sample(TEXTS, times) if times < len(TEXTS) else TEXTS):
        plain = given.replace("\0", "")
        folder = bench.folder / f"t{number} {plain.replace('/', '')}"
        folder.mkdir()
        preset = folder / "mine.toml"
        quoted = json.dumps(given)  # JSON escapes are TOML's
        story = f"[story]\nprevious = {quoted}\nchange = {quoted}\nnotes = [{quoted}]\n[claims]\nnote = {quoted}\n"
        preset.write_text(f"title = {quoted}\nsource = {quoted}\n{story}{bench.preset.read_text()}")
        bad = folder / "bad.toml"
        bad.write_text(f"{quoted} = {quoted}\n{bench.preset.read_text()}")
        train = bench.train("x", 1)
        train[2] = str(preset)
        train[train.index("--name") :] = [f"--name=t{number}{plain}"]
        runs = ["--runs-dir", str(bench.runs)]
        commands = [
            train, ["show", str(preset)], ["show", str(preset), "--set", f"title={quoted}z"], ["runs"], ["status"],
            ["presets", "validate", str(bad), str(preset)], ["runs", "show", "latest"], ["runs", "show", f"no{plain}"],
            ["runs", "tag", "latest", f"g{plain}"], ["runs", "note", "latest", f"N{plain}"], ["runs", "show", "latest"],
            ["show", f"no{plain}"], ["run", "-p", str(preset), "--set", f"{plain}={plain}"], ["tail", "latest"],
            ["run", "-p", str(preset), "--optimizer", plain], ["run", "-p", str(preset), "--device", plain],
            ["run", "-p", str(bench.preset), "--data-dir", str(folder), "-d", "mnist"], [f"no{plain}"],
            ["run", "-p", str(bench.preset), "--runs-dir", f"/proc/{plain}"], ["run", f"--no{plain}"],
        ]  # fmt: skip
        for argv in commands:
            code, out, err = bench.run(*argv, *(runs if argv[0] in ("runs", "status", "tail") else []))
            crashes += "Traceback" in err or code not in (0, 1, 2, 3, 4, 6, 7)
            for line in (out + err).split("\n"):
                lines += 1
                if _STEERS.search(line):
                    steering.append(f"{argv[:2]}: {line}")
        for path in bench.runs.glob("*/log.txt"):
            for line in path.read_text("utf-8", "replace").split("\n"):
                lines += 1
                if _STEERS.search(line):
                    steering.append(f"log.txt: {line}")
        _, out, _ = bench.run("show", str(preset))
        missing += given in ("[/b]", "[bold red]x[/]", "[", "\\[/b]") and given not in out
    return Figure(
        not (steering or crashes or missing),
        f"{times} texts, {lines} lines printed: {len(steering)} with control characters, {missing} texts taken as "
        f"markup, {crashes} crashes{f'; first: {steering[0]!a}' if steering else ''}",
    )


# --------------------------------------------------------------------------------- hostile text


def _comes(screen: Screen, text: str) -> bool:
    """Whether a text is on the screen, or comes within a minute."""
    return until(lambda: text in screen.text or not screen.read(0.1), 60) and text in screen.text


@row(
    "screens",
    "markup and control characters in titles, names, notes: every screen",
    "shown literally on every screen and line, 0 crashes",
    quick=2,
    whole=17,
    teeth={"raw_text": "text shown as it comes"},
    teeth_times=4,
    needs=("terminal",),
)
def screens(bench: Bench, times: int) -> Figure:
    """Presets and runs of such titles and names on every screen; what reaches the terminal may not hold them raw."""
    given = [text.replace("\0", "") for text in TEXTS]
    given = [text for text in given if text][: max(times, 3)]
    mine = bench.folder / "config" / "tuitrain" / "presets"
    mine.mkdir(parents=True)
    for number, text in enumerate(given):
        title = json.dumps(f"T{text}")
        preset = mine / f"a{number}.toml"
        preset.write_text(
            f"title = {title}\nsource = {title}\n[story]\nchange = {title}\n{bench.preset.read_text()}"
        )
        code, _, err = bench.run(
            "run", "-p", str(preset), *bench.train("x", 1)[3:-2], f"--name=n{number}{text}"
        )
        assert code == 0, err
        name = sorted(bench.runs.glob(f"n{number}*"))[0]
        (name / "user.json").write_text(json.dumps({"tags": [f"g{text}"], "note": f"N{text}"}))
    raw = [text.encode() for text in given if any(not char.isprintable() for char in text)]
    seen = crashes = literal = visits = 0
    for number, text in enumerate(given):
        argv = ("lab", "-p", f"a{number}", "--runs-dir", str(bench.runs))
        screen = Screen(bench, *argv, columns=120, rows=40)
        try:
            screen.wait_for("1 Lab", 60)
            title, note = f"T{visible(text)}", f"N{visible(text)}"
            literally = _comes(screen, title)
            # Down to this preset's run (the newest is on top), into it, its log, help, and back.
            for keys in ("3", "\x1b[B" * (len(given) - 1 - number), "\r", "6", "?", "\x1b", "1"):
                if keys == "\r":
                    literally = _comes(screen, note) and literally
                screen.key(keys)
                if keys == "3":
                    literally = (
                        _comes(screen, "✓ done") and literally
                    )  # the list is read: what comes next is for it
                screen.read(0.6)
                visits += 1
            literal += literally
            screen.key("q")
            crashes += screen.ended(30) != 0 or "Traceback" in screen.text
            seen += sum(screen.raw.count(b"T" + text) + screen.raw.count(b"g" + text) for text in raw)
        except AssertionError:
            crashes += 1
        finally:
            screen.kill()
    return Figure(
        not seen and not crashes and literal == len(given),
        f"{len(given)} texts, {visits} screens: {seen} raw texts sent to the terminal, {crashes} crashes, {literal} shown "
        "literally as title and as note",
    )
