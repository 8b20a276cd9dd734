"""The first day on a card: everything that needs a CUDA device, in order of importance, in less than nine minutes.

    python benchmarks/first_day.py --data-dir FOLDER      # begin
    python benchmarks/first_day.py --resume benchmarks/results/first_day_….json     # go on where that was cut
    python benchmarks/first_day.py --fake-cuda            # does it work? On fake CUDA tensors; figures mean nothing
    python benchmarks/first_day.py --device cpu --quick   # the same on the CPU

Needs no network and no service. After each part the JSON file is written again and what was printed is in the log
beside it, so a cut loses at most the part that was running. A part whose package is not there says so and is skipped.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "tests")]

from bench import machine  # noqa: E402
from bench.first_parts import PARTS, Session, Skipped  # noqa: E402
from bench.results import FOLDER, Results  # noqa: E402
from bench.talk import say  # noqa: E402


def main() -> int:
    """The command line; see `run_parts`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N; cpu only shows that the script works")
    parser.add_argument(
        "--fake-cuda", action="store_true", help="on fake CUDA tensors, where there is no card; small sizes"
    )
    parser.add_argument(
        "--data-dir", type=Path, default=os.environ.get("TUITRAIN_DATA_DIR"), help="folder with MNIST"
    )
    parser.add_argument("--parts", nargs="+", choices=sorted(PARTS), help="only these")
    parser.add_argument("--limit", type=float, default=530, metavar="S", help="be over after so many seconds")
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--resume", type=Path, metavar="FILE", help="go on with a result file")
    chosen = parser.parse_args()
    if chosen.fake_cuda:
        with tempfile.TemporaryDirectory() as libraries:
            return rehearse(chosen, Path(libraries))
    import torch

    if chosen.device != "cpu" and not torch.cuda.is_available():
        say("torch finds no GPU here; nothing was measured (--fake-cuda shows that the script works)")
        return 1
    name = torch.cuda.get_device_name(chosen.device) if chosen.device != "cpu" else None
    return run_parts(chosen, name, os.environ)


def rehearse(chosen: argparse.Namespace, libraries: Path) -> int:
    """All parts on fake tensors; see `run_parts`."""
    from support.fake_cuda import rehearsal, stubs

    if reason := stubs.missing():
        say(f"fake CUDA tensors can't be had here: {reason}")
        return 1
    chosen.quick = True
    return run_parts(chosen, "fake tensors", rehearsal.environment(libraries))


def run_parts(chosen: argparse.Namespace, name: str | None, base: Mapping[str, str]) -> int:
    """Runs the parts that are not done; 1 when one failed.

    Args:
        chosen: the options.
        name: of the card; None without one.
        base: the environment of what is run.
    """
    results = _results(chosen, name)
    log = results.path.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    data_dir = Path(chosen.data_dir).resolve() if chosen.data_dir else None
    ends_at = time.monotonic() + chosen.limit
    session = Session(chosen.device, chosen.quick, data_dir, log, ends_at, base, chosen.fake_cuda)
    done = results.data.setdefault("parts", {})
    for part, work in PARTS.items():
        if (chosen.parts and part not in chosen.parts) or done.get(part, {}).get("state") in (
            "done",
            "skipped",
        ):
            continue
        if session.left_s < 20:
            done.setdefault(part, {"state": "no time"})
            continue
        done[part] = _one(part, work, session)
        say(f"{part}: {done[part]['state']} in {done[part]['seconds']} s {done[part].get('why', '')}")
        results.save()
    results.save()
    return int(any(part["state"] == "failed" for part in done.values()))


def _results(chosen: argparse.Namespace, name: str | None) -> Results:
    if chosen.resume:
        return Results.load(chosen.resume)
    stamp = time.strftime("%Y-%m-%dT%H-%M", time.gmtime())
    rehearsal = "quick_" if chosen.device == "cpu" or chosen.quick else ""
    path = chosen.out or FOLDER / f"{rehearsal}first_day_{stamp}_{machine.kind(name)}.json"
    return Results.new(path, kind="first day", quick=bool(rehearsal), gpu=name)


def _one(part: str, work: Callable[[Session], dict[str, Any]], session: Session) -> dict[str, Any]:
    """A part's result, whatever happens in it."""
    begun = time.monotonic()
    try:
        result = work(session)
        result = {"state": "done" if result.get("ok", True) else "failed"} | result
    except Skipped as skipped:
        result = {"state": "skipped", "why": str(skipped)}
    except Exception as error:
        result = {"state": "failed", "why": f"{type(error).__name__}: {error}", **_left_by(work)}
    return result | {"seconds": round(time.monotonic() - begun, 1)}


def _left_by(work: Any) -> dict[str, Any]:
    found = getattr(work, "found", None)
    return {"sections": found} if found else {}


if __name__ == "__main__":
    sys.exit(main())
