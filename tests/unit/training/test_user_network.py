"""A network in Python: trained, resumed, kept apart, and refused in a sentence."""

import hashlib
import json
import os
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from support import ROOT
from support.training_small import CPU, StopsAtLook, stripes, tiny
from support.user_network import NET, PARAMETERS
from tuitrain.errors import UsageError
from tuitrain.runs.directory import RunDirectory
from tuitrain.runs.launch import prepare, prepare_resume
from tuitrain.spec.preset import override
from tuitrain.training.events import EpochFinished
from tuitrain.training.job import Job
from tuitrain.training.trainer import Trainer
from tuitrain.training.user_network import UserNetwork, load_user_network


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:Net"


def wrote(tmp_path: Path, text: str) -> UserNetwork:
    (tmp_path / "other.py").write_text(f"import torch\nfrom torch import nn\n{text}")
    return load_user_network(f"{tmp_path / 'other.py'}:Net")


def trained(net: str, **settings) -> Trainer:
    trainer = Trainer(Job(tiny(epochs=2, **settings), CPU, user_network=load_user_network(net)), stripes())
    for _ in trainer.run():
        pass
    return trainer


def test_its_figures_are_torchs(net: str) -> None:
    own = load_user_network(net)
    assert own.table.parameters == PARAMETERS == sum(p.numel() for p in own.build(0).parameters())
    assert own.table.mult_adds == 104 * 64 + 8 + 2570
    assert "Net" in own.summary() and f"{PARAMETERS:,}" in own.summary()
    assert own.sha256 == hashlib.sha256(NET.encode()).hexdigest()


def test_weights_come_from_the_seed_and_torchs_generator_is_left_alone(net: str) -> None:
    own, before = load_user_network(net), torch.default_generator.get_state()
    a, b, other = (own.build(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["fc.weight"], other["fc.weight"])
    assert torch.equal(torch.default_generator.get_state(), before)


def test_it_learns_and_repeats(net: str) -> None:
    one, two = trained(net), trained(net)
    assert one.position.history[-1].test_acc > 0.5
    assert one.state().sha256() == two.state().sha256() != trained(net, seed=6).state().sha256()


def test_stopped_in_the_middle_and_resumed_is_as_never_stopped(tmp_path: Path, net: str, monkeypatch) -> None:
    monkeypatch.setattr("tuitrain.runs.launch.load_data", lambda *_: stripes())
    preset = tiny()
    for name, control in (("whole", None), ("cut", StopsAtLook(8))):
        session = prepare(
            Job(preset, CPU, user_network=load_user_network(net)),
            runs_dir=tmp_path,
            dataset=stripes(),
            name=name,
            control=control,
        )
        session.start()
        assert session.join(120) and session.exit_code == 0
    assert session.outcome == "stopped" and len(session.recorder.history.epochs) == 1
    session = prepare_resume(RunDirectory.open(tmp_path / "cut"), data_dir=None, model=net)
    session.start()
    assert session.join(120) and session.outcome == "completed"
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "cut")]
    assert weights[0] == weights[1]
    losses = [
        [r.event.test_loss for r in RunDirectory.open(tmp_path / name).events() if isinstance(r.event, EpochFinished)]
        for name in ("whole", "cut")
    ]  # fmt: skip
    assert losses[0] == losses[1]


def test_its_text_is_kept_and_its_weights_fit_the_class(tmp_path: Path, net: str) -> None:
    preset = override(tiny(), {"challenge.max_parameters": 2000, "challenge.required_layers": ["conv"]})
    session = prepare(
        Job(preset, CPU, user_network=load_user_network(net)), runs_dir=tmp_path, dataset=stripes(), name="a"
    )
    session.start()
    assert session.join(120) and session.exit_code == 0
    run = tmp_path / "a"
    assert (run / "model.py.txt").read_text() == NET and not list(run.rglob("*.py"))
    assert "net.py:Net" in (run / "preset.toml").read_text()
    load_user_network(net).build(0).load_state_dict(load_file(run / "model.safetensors"))
    from tuitrain.runs.history import History
    from tuitrain.runs.run_json import run_json

    result = History.of(session.records)
    assert result.started is not None and result.started.parameters == PARAMETERS
    points = {p.point: p.met for p in result.points()}
    assert points == {"parameters": False, "conv": None}
    assert result.started.changed["model"] == ["tiny", f"{net} {load_user_network(net).sha256[:8]}"]
    assert run_json(result, run)["own_network"] == load_user_network(net).to_dict()


def test_a_run_is_resumed_only_with_its_own_file(tmp_path: Path, net: str) -> None:
    session = prepare(
        Job(tiny(epochs=1), CPU, user_network=load_user_network(net)),
        runs_dir=tmp_path,
        dataset=stripes(),
        name="a",
    )
    session.start()
    assert session.join(120)
    run = RunDirectory.open(tmp_path / "a")

    def refused(model: str | None) -> str:
        with pytest.raises(UsageError) as error:
            prepare_resume(run, data_dir=None, epochs=2, model=model)
        return str(error.value)

    assert "only when you name it: `tuitrain resume a --model FILE.py:NAME`" in refused(None)
    marker = tmp_path / "ran"
    (tmp_path / "else.py").write_text(f"open({str(marker)!r}, 'w')\n{NET}")
    assert "is not the file that run a began with" in refused(f"{tmp_path / 'else.py'}:Net")
    assert not marker.exists()  # refused by its bytes, before anything of it ran
    assert "trains 'Net' of that file" in refused(net.replace(":Net", ":nn"))
    assert "FILE.py:NAME" in refused(f"{tmp_path / 'a' / 'model.py.txt'}:Net")
    session = prepare(Job(tiny(epochs=1), CPU), runs_dir=tmp_path, dataset=stripes(), name="plain")
    session.start()
    assert session.join(120)
    with pytest.raises(UsageError, match="leave --model out"):
        prepare_resume(RunDirectory.open(tmp_path / "plain"), data_dir=None, epochs=2, model=net)


def test_nothing_of_a_hostile_run_directory_is_imported(tmp_path: Path, net: str) -> None:
    session = prepare(
        Job(tiny(epochs=1), CPU, user_network=load_user_network(net)),
        runs_dir=tmp_path,
        dataset=stripes(),
        name="a",
    )
    session.start()
    assert session.join(120)
    marker = tmp_path / "ran"
    evil = f"open({str(marker)!r}, 'w')\n{NET}"
    run = tmp_path / "a"
    for name in ("model.py", "net.py", "model.py.txt", "__init__.py", "conftest.py", "torch.py"):
        (run / name).write_text(evil)
    log = (run / "events.jsonl").read_text()
    event = json.loads(log.splitlines()[0])
    event["own_network"] = {
        "model": f"{run / 'model.py'}:Net",
        "sha256": hashlib.sha256(evil.encode()).hexdigest(),
    }
    (run / "events.jsonl").write_text("\n".join([json.dumps(event), *log.splitlines()[1:]]) + "\n")
    with pytest.raises(UsageError, match="only when you name it"):
        prepare_resume(RunDirectory.open(run), data_dir=None, epochs=2)
    (run / "events.jsonl").write_text("")  # as of a run that was killed before it began
    with pytest.raises(UsageError, match="only when you name it"):
        prepare_resume(RunDirectory.open(run), data_dir=None, epochs=2)
    assert not marker.exists()


@pytest.mark.parametrize(
    "key", ["own_network = 'net.py:Net'", "model.file = 'net.py:Net'", "model.model = 'net.py:Net'"]
)
def test_no_key_of_a_preset_names_one(key: str) -> None:
    from tuitrain.errors import PresetError
    from tuitrain.spec.preset import preset_from_toml

    with pytest.raises(PresetError, match="not a known key"):
        preset_from_toml(f"{key}\n[train]\nepochs = 1\n", "a test")


def test_one_module_runs_files_and_only_a_flags_places_ask_it_to() -> None:
    root = ROOT
    texts = {str(path.relative_to(root)): path.read_text() for path in (root / "tuitrain").rglob("*.py")}
    words = ("exec_module", "SourceFileLoader", "spec_from_file", "runpy")
    running = {name for name, text in texts.items() if any(word in text for word in words)}
    of_parsl = {"tuitrain/study/pool.py", "tuitrain/study/interchange.py"}
    assert running == {"tuitrain/training/user_network.py", *of_parsl}
    for name in of_parsl:  # modules of an installed package, by name
        assert (
            texts[name].count("runpy.")
            == len(re.findall(r'runpy\.run_module\(\s*"parsl\.', texts[name]))
            == 1
        ), name
    asking = {
        name
        for name, text in texts.items()
        if re.search(r"training\.user_network import .*\bload_user_network\b", text)
    }
    assert asking == {
        "tuitrain/cli/user_network.py", "tuitrain/runs/launch.py",
        "tuitrain/tui/lab/lookups.py", "tuitrain/workbench/rate_search.py", "tuitrain/runs/queue_entry.py",
        "tuitrain/study/member.py",
    }  # fmt: skip


LINEAR = """class Net(nn.Module):
 def __init__(self):
  super().__init__(); self.l = nn.Linear(784, 10)
 def forward(self, x):
  """


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def Net(): raise ValueError('oh\\nno')", "making it fails in line 3: ValueError: oh; fix that."),
        ("def Net(): raise SystemExit(3)", "making it fails in line 3: SystemExit: 3"),
        ("def Net(): return 3", "it gives a int; it must be or return a torch.nn.Module."),
        ("def Net(): return nn.Flatten()", "it has nothing to train"),
        ("def Net(): return nn.Sequential(nn.Flatten(), nn.LazyLinear(10))", "it has lazy layers; write their input sizes."),
        ("net = nn.Linear(784, 10)\ndef Net(): return net", "it gives the same network each time"),
        ("def Net(): return nn.Linear(784, 30_000)", "it has 23,520,000 parameters or more; the limit is 20,000,000, make"),
        ("def Net(): return nn.Sequential(nn.Flatten(), nn.Linear(784, 9))",
         "for 1 image, (1, 1, 28, 28), it gives (1, 9); it must be logits (1, 10)."),
        (f"{LINEAR}return (self.l(x.flatten(1)),)", "it gives a tuple; it must be logits (1, 10)."),
        (f"{LINEAR}return self.l(x.flatten(1)).squeeze()", "for 1 image, (1, 1, 28, 28), it gives (10,)"),
        (f"{LINEAR}return self.l(x.flatten(1)).argmax(1)", "it must be logits"),
        (f"{LINEAR}return self.l(x.flatten(1)[:, :9])", "calling it with 1 image fails in line 7: RuntimeError"),
        (f"{LINEAR}return self.l(x.flatten(1)).detach()", "its backward pass fails"),
        ("class Net(nn.Linear):\n def __init__(self):\n  super().__init__(784, 10)\n"
         "  self.register_buffer('mask', torch.full((2,), -torch.inf))", "its 'mask' is not finite from the start"),
        ("class Net(nn.Linear):\n def __init__(self):\n  super().__init__(784, 10)\n"
         "  self.register_buffer('mask', torch.eye(2).to_sparse())", "its 'mask' is no dense tensor"),
        ("class Net(nn.Linear):\n def __init__(self):\n  super().__init__(784, 10, device='meta')", "its weights can't be used"),
        ("def Net(): return nn.Linear(100_000, 100_000)", "it makes a tensor of 38,146 MiB; the limit is 500 MiB"),
        ("def Net(): return nn.ParameterList([nn.Parameter(torch.full((10**9,), 1.0))])", "it makes a tensor of 3,814 MiB"),
        ("def Net(): return nn.Sequential(*[nn.Linear(3000, 3000) for _ in range(100)])",
         "it has 27,006,000 parameters or more; the limit is 20,000,000"),
        (f"{LINEAR}return self.l(x.flatten(1))\n def state_dict(self, *_, **__): return {{}}",
         "its state_dict() leaves out 'l.weight'; a checkpoint would lose it, add it."),
        ("class Net(nn.Linear):\n def __init__(self):\n  super().__init__(784, 10)\n"
         "  for n in range(5): self.register_buffer(f'b{n}', torch.zeros(27_000_000))",
         "its checkpoints would take 515 MiB (buffers once, parameters three times, for the optimizer); the limit is 500 MiB"),
        ("def Net(): return nn.ModuleList(nn.Linear(1, 1) for _ in range(600))", "would hold 4,800 tensors"),
        ("def Net(): return Net()", "making it fails in line 3: RecursionError"),
        ("def Net(): raise GeneratorExit('no')", "making it fails in line 3: GeneratorExit: no; fix that."),
        (f"{LINEAR}raise GeneratorExit", "calling it with 1 image fails in line 7: GeneratorExit; fix that."),
        (f"{LINEAR}raise StopIteration", "calling it with 1 image fails in line 7: StopIteration; fix that."),
        ("import sys\nsys.exit()", "running the file fails in line 4: SystemExit"),
        ("class Mute(Exception):\n def __str__(self): raise ValueError\ndef Net(): raise Mute", "Mute: <Mute>"),
        ("class Mute(BaseException):\n def __str__(self): return '\\x1b[31m'\ndef Net(): raise Mute", "Mute: \\x1b[31m"),
        ("Net = 7", "'Net' is no class or function; define it there."),
        ("class Other(nn.Module): pass", "'Net' is not there; it has Other."),
        ("def Net(:", "running the file fails in line 3: SyntaxError"),
        ("import no_such_module_at_all", "running the file fails in line 3: ModuleNotFoundError"),
        ("x = '\\0'\0", "running the file fails"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        _ = wrote(tmp_path, text).table
    assert says in str(error.value) and "\n" not in str(error.value)
    assert str(error.value).startswith(f"--model {tmp_path / 'other.py'}:Net: ")


@pytest.mark.parametrize(
    "flag", ["net.py", ":Net", "net.txt:Net", "net.py:", "net.py:a b", "no/such.py:Net", "~nobody/x.py:y"]
)
def test_a_flag_that_names_nothing_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match="FILE.py:NAME|there is no file"):
        load_user_network(flag)


def test_what_it_sets_for_the_whole_process_is_put_back(tmp_path: Path) -> None:
    before = (
        os.getcwd(),
        sys.stdout,
        torch.get_default_dtype(),
        sys.getrecursionlimit(),
        list(warnings.filters),
    )
    sets = "os.chdir('/'); torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
    sets += "sys.stdout = None; sys.setrecursionlimit(500); warnings.simplefilter('error')\n"
    text = f"import os, sys, warnings\n{sets}{LINEAR}os.chdir('/'); return self.l(x.flatten(1))"
    assert wrote(tmp_path, text).table.parameters == 7850
    after = (
        os.getcwd(),
        sys.stdout,
        torch.get_default_dtype(),
        sys.getrecursionlimit(),
        list(warnings.filters),
    )
    assert after == before and torch.is_grad_enabled()


def test_tied_weights_are_counted_once_and_saved(tmp_path: Path) -> None:
    text = LINEAR.replace(
        "\n def f", "\n  self.m = nn.Linear(784, 10); self.m.weight = self.l.weight\n def f"
    )
    own = wrote(tmp_path, f"{text}return self.l(x.flatten(1)) + self.m(x.flatten(1))")
    assert own.table.parameters == 7860
    session = prepare(
        Job(tiny(epochs=1), CPU, user_network=own), runs_dir=tmp_path, dataset=stripes(), name="a"
    )
    session.start()
    assert session.join(120) and session.exit_code == 0
    own.build(0).load_state_dict(load_file(tmp_path / "a" / "model.safetensors"))
