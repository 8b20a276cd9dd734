"""`tuitrain doctor`: what is here, and a remedy for what is wrong."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from tuitrain import config, nvml
from tuitrain.cli import options
from tuitrain.cli.console import emit_json, stdout
from tuitrain.errors import ExitCode, TuitrainError, visible
from tuitrain.figures import gigabytes_text
from tuitrain.version import __version__


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `ok` is None where it is neither right nor wrong."""

    what: str
    found: str
    ok: bool | None
    remedy: str = ""


def doctor(
    data_dir: options.DataDir = None, runs_dir: options.RunsDir = None, json: options.Json = False
) -> None:
    """Look at Python, torch, GPUs, data, terminal and folders.

    Where something is wrong, a remedy is named.
    """
    findings = [
        *_software(),
        *_gpus(),
        *_data(config.data_dir(data_dir)),
        *_terminal(),
        *_folders(config.runs_dir(runs_dir)),
    ]
    if json:
        emit_json([{"what": f.what, "found": f.found, "ok": f.ok, "remedy": f.remedy} for f in findings])
    else:
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, pad_edge=False, show_header=False)
        for f in findings:
            glyph, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "dim")}[f.ok]
            grid.add_row(Text(glyph, style=style), Text(f.what, style="bold"), Text(visible(f.found)))
            if f.remedy:
                grid.add_row("", "", Text(visible(f.remedy), style="yellow"))
        stdout().print(grid)
    if any(f.ok is False for f in findings):
        raise typer.Exit(ExitCode.FAILED)


def _software() -> list[Finding]:
    import importlib.metadata as metadata

    version = platform.python_version()
    out = [
        Finding("tuitrain", __version__, None),
        Finding("Python", f"{version} ({sys.executable})", sys.version_info >= (3, 11), ""),
    ]
    names = ("torch", "torchvision", "textual", "torchinfo", "scikit-learn")
    for name in names:
        try:
            out.append(Finding(name, metadata.version(name), True))
        except metadata.PackageNotFoundError:
            out.append(Finding(name, "not installed", False, f"pip install {name}"))
    try:
        import torch

        cuda = torch.version.cuda
        out.append(Finding("torch's CUDA", f"{cuda}" if cuda else "built without CUDA", None))
        out.append(
            Finding("CPU", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads", None)
        )
    except ImportError as error:
        out.append(
            Finding(
                "torch", f"does not import: {error}", False, "pip install --force-reinstall torch torchvision"
            )
        )
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    remedy = "" if compiler else "install g++ or clang++ for --compile; without one, training is eager"
    out.append(Finding("C++ compiler", compiler or "none", None, remedy))
    return out


def _gpus() -> list[Finding]:
    library = nvml.library()
    if library is None:
        return [Finding("GPU", "none (no NVIDIA driver answers); training runs on the CPU", None)]
    out = [Finding("NVIDIA driver", nvml.driver_version(library) or "n/a", True)]
    cards = nvml.cards()
    if not cards:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") is not None
        remedy = "look at CUDA_VISIBLE_DEVICES" if hidden else "run nvidia-smi and repair the driver"
        return [*out, Finding("GPU", "the driver shows no card", False, remedy)]
    try:
        import torch

        usable = torch.cuda.is_available()
    except ImportError:  # said above
        return out
    if not usable:
        remedy = "install a torch built for this driver's CUDA version"
        return [*out, Finding("CUDA in torch", "can't use the GPU", False, remedy)]
    from tuitrain.training import compiling

    device = torch.device("cuda")
    lacking = compiling.missing(device)
    remedy = "" if lacking is None else f"for --compile {compiling.remedy(device)}"
    return [
        *out,
        Finding("compiling for CUDA", lacking or "triton, a C compiler and Python.h are there", None, remedy),
        *map(_card, cards),
    ]


def _card(card: nvml.Card) -> Finding:
    """A card: what is free, who is on it, and whether it takes a step of training."""
    from tuitrain.training import devices
    from tuitrain.training.trial import try_step

    name = f"cuda:{card.index}"
    memory = card.memory()
    text = card.name or "GPU"
    if memory is not None:
        text += f", {gigabytes_text(memory[0])} of {gigabytes_text(memory[1])} GB free"
    others = card.others(ours_is_there=nvml.in_use_by_torch())
    users = f"{len(others)} other process" + ("es" if len(others) > 1 else "")
    text += f", used by {users}" if others else ", no other process on it"
    reason = devices.unsupported(card.index)
    if reason is not None:
        return Finding(name, text, False, f"{reason}; install a torch that is built for it")
    if memory is not None and memory[0] < 2**30:
        return Finding(name, text, False, "free its memory or choose another --device")
    failed = try_step(name)
    if failed is not None:
        return Finding(name, text, False, f"a step of training fails there: {failed}")
    return Finding(name, f"{text}; a captured step of training works", True)


def _data(folder: Path | None) -> list[Finding]:
    from tuitrain.data.catalog import DATASETS
    from tuitrain.data.load import load_dataset

    out = []
    for name in DATASETS:
        try:
            dataset = load_dataset(name, folder, fetch=False)
            out.append(
                Finding(
                    f"data {name}",
                    f"verified, {len(dataset.train.images):,} and {len(dataset.test.images):,} images",
                    True,
                )
            )
        except TuitrainError as error:
            missing = name != "mnist"
            out.append(Finding(f"data {name}", "not here" if missing else str(error), None if missing else False,
                               "" if missing else f"tuitrain data fetch --dataset {name}"))  # fmt: skip
    return out


def _terminal() -> list[Finding]:
    term, tty = os.environ.get("TERM", ""), sys.stdout.isatty()
    size = shutil.get_terminal_size()
    colours = "256 colours" if "256" in term else "16 colours"
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        colours = "24-bit colour"
    if os.environ.get("NO_COLOR"):
        colours = "NO_COLOR"
    encoding = sys.stdout.encoding or "unknown"
    utf8 = encoding.lower().replace("-", "") == "utf8"
    small = tty and (size.columns < 60 or size.lines < 18)
    shown = f"{term or 'unnamed'}, {size.columns}x{size.lines}, {colours}" if tty else "stdout is no terminal"
    hint = "make it 80x24 or larger; below 60x18 the app shows a strip of text" if small else ""
    inside = (
        "tmux"
        if os.environ.get("TMUX")
        else ("ssh" if os.environ.get("SSH_CONNECTION") else "neither tmux nor ssh")
    )
    return [
        Finding("terminal", shown, not small if tty else None, hint),
        Finding(
            "encoding",
            encoding,
            utf8 or None,
            "" if utf8 else "set LANG=C.UTF-8; the app draws with ASCII otherwise",
        ),
        Finding("inside", inside, None),
    ]


def _folders(runs: Path) -> list[Finding]:
    from tuitrain.spec.preset_files import builtin_dir, list_presets, user_preset_dir

    out = []
    for what, folder in (("runs folder", runs), ("your presets", user_preset_dir())):
        there = (
            folder
            if folder.exists()
            else next((p for p in folder.absolute().parents if p.exists()), Path("/"))
        )
        writable = os.access(there, os.W_OK)
        free = shutil.disk_usage(there).free
        full = free < 2**30
        state = (
            f"{folder}{'' if folder.exists() else ' (made when needed)'}, {gigabytes_text(free, 0)} GB free"
        )
        remedy = "" if writable else "choose another with --runs-dir or TUITRAIN_RUNS_DIR"
        if full and writable:
            remedy = "free some space; a run takes about 1 MB"
        out.append(Finding(what, state, writable and not full, remedy))
    builtin = [entry for entry in list_presets() if entry.builtin]
    out.append(
        Finding(
            "built-in presets",
            f"{len(builtin)} in {builtin_dir()}",
            bool(builtin),
            "" if builtin else "reinstall tuitrain",
        )
    )
    return out
