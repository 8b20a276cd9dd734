"""What people type and paste: TOML in other encodings, keys without end, names of kinds, control characters."""

import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tuitrain import config
from tuitrain.cli.options import flag_changes
from tuitrain.errors import PresetError, UsageError, shortened
from tuitrain.spec.preset import override, preset_from_toml, read_preset
from tuitrain.spec.preset_files import load_preset
from tuitrain.spec.repeat import quoted

TEXT = "[model]\nlayers = [{ flatten = true }, { linear = 10 }]\n"


def test_a_byte_order_mark_is_no_mistake_and_other_encodings_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(TEXT, "utf-8-sig")
    assert read_preset(file).table().parameters == 7850
    for encoding in ("utf-16", "utf-16-be", "utf-32"):
        mark = "\ufeff" if encoding.endswith("be") else ""
        file.write_text(mark + TEXT, encoding)
        with pytest.raises(PresetError, match=r"a\.toml: it is UTF-(16|32) text; save it as UTF-8\.$"):
            read_preset(file)
    file.write_text('device = "cpu"\n', "utf-8-sig")
    assert config.read_config_file(file) == {"device": "cpu"}
    file.write_text('device = "cpu"\n', "utf-16")
    with pytest.raises(UsageError, match="it is UTF-16 text; save it as UTF-8"):
        config.read_config_file(file)


@pytest.mark.parametrize("head", ["", "[", "x = { ", '"a" . '])
def test_a_key_without_end_is_refused_before_it_is_read(head: str) -> None:
    text = "title = 'one'\n" + head + ".".join(["a"] * 20_000) + " = 1"
    begun = time.process_time()
    with pytest.raises(PresetError, match="a key of more than 16 parts in line 2; fix that place"):
        preset_from_toml(text, "a test")
    assert time.process_time() - begun < 1  # tomllib takes seconds, and this milliseconds
    with pytest.raises(PresetError, match="more than 16 parts"):
        override(load_preset("step13"), {".".join(["a"] * 20_000): 1})


def test_a_text_with_dots_is_no_key() -> None:
    preset = preset_from_toml(
        f'title = "{".".join("abcdefghijklmnopqrst")} ..... {"x, " * 30}"\n{TEXT}', "a test"
    )
    assert preset.title.startswith("a.b.c")


def test_another_kind_is_named_before_the_colon_and_takes_its_own_settings() -> None:
    base = load_preset("step13")
    with pytest.raises(UsageError, match="the kind stands before the colon; write it as --optimizer adam"):
        flag_changes(base, {"optimizer": "sgd:name=adam"})
    for key in ("train.optimizer", "train.optimizer.name"):
        assert override(base, {key: "adam", "train.optimizer.lr": 0.5}).train.optimizer.lr == 0.5
    assert override(base, {"train.optimizer.name": "sgd"}) == base
    with pytest.raises(PresetError, match=r"momentun is not a setting of sgd; did you mean 'momentum'\?"):
        override(base, {"train.optimizer.momentun": 0.5})
    with pytest.raises(
        PresetError, match=r"optimizer\.momentum is not a setting of adam; use one of: lr, betas"
    ):
        override(base, {"train.optimizer": {"name": "adam", "momentum": 0.5}})
    with pytest.raises(PresetError, match=r"train\.step is not a known key"):
        override(base, {"train.step": 3})


@pytest.mark.parametrize("text", ["a\x1b[31mb", "it's\n\ttwo\r", "\udcff\u202ex\x07\\", "plain", "é ünd"])
def test_a_line_to_paste_shows_no_control_characters_and_means_the_same(text: str) -> None:
    line = quoted(text)
    assert line.isprintable()
    said = subprocess.run(["bash", "-c", f"printf %s {line}"], capture_output=True, env={"LC_ALL": "C.UTF-8"})
    assert said.stdout == text.encode("utf-8", "surrogateescape")
    if text.isprintable():
        assert shlex.split(line) == [text]


def test_an_argument_that_nobody_reads_is_cut_in_the_middle() -> None:
    text = shortened("begin" + "x" * 100_000 + "end")
    assert (
        len(text) < 1100 and text.startswith("begin") and text.endswith("end") and "99,008 characters" in text
    )
    assert shortened("x" * 1000) == "x" * 1000
