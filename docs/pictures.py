"""Makes the README's pictures from the recorded runs beside this file: `python docs/pictures.py [FOLDER]`.

The screens are the real ones, on a terminal that exists only in memory; what they show are runs that really
happened, copied into a runs folder of their own. The monitor is shown in the middle of the recorded run.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SIZES = ((80, 24), (120, 40))
EPOCH, STEP = 9, 665  # where the monitor's picture is taken


def _quiet(folder: Path) -> None:
    """Settings of this machine must not show in the pictures."""
    for name in [name for name in os.environ if name.startswith("TUITRAIN_")]:
        if name != "TUITRAIN_DATA_DIR":
            del os.environ[name]
    os.environ |= {
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    os.environ.pop("NO_COLOR", None)


class Playing:
    """A feed that stands in the middle of a recorded run."""

    title = ""

    def __init__(self, directory) -> None:
        from tuitrain.runs.steering import RemoteControl
        from tuitrain.training.events import EpochFinished, StepProgress

        self.directory = directory
        self.control = RemoteControl(directory)
        records = directory.events()
        ends = {r.event.epoch: r for r in records if isinstance(r.event, EpochFinished)}
        last = records.index(ends[EPOCH - 1])
        self._records = records[: last + 2]
        steps = records[0].event.steps_per_epoch
        here = ends[EPOCH].event
        self._progress = StepProgress(
            epoch=EPOCH,
            step=STEP,
            steps=steps,
            train_loss=here.train_loss,
            train_acc=here.train_acc,
            lr=here.lr,
            images_per_s=here.images_per_s,
            step_ms=1000 * here.train_s / steps,
            elapsed_s=ends[EPOCH - 1].event.elapsed_s + here.train_s * STEP / steps,
        )

    def poll(self):
        """All records at the first look; then only that it still trains."""
        from tuitrain.runs.feed import FeedUpdate

        records, self._records = self._records, []
        self._progress = dataclasses.replace(self._progress, step=self._progress.step + 1)
        return FeedUpdate(records, self._progress, "training", alive=True, state="live")


async def _take(runs: Path, size: tuple[int, int], out: Path) -> None:
    from tuitrain.runs.index import find_run, list_runs
    from tuitrain.tui.app import TuitrainApp
    from tuitrain.workbench.opening import Opening

    app = TuitrainApp(Opening(runs_dir=runs, preset="step13", overrides={"train.rotation": 7.0}))
    named = f"{size[0]}x{size[1]}.svg"
    async with app.run_test(size=size) as pilot:

        async def picture(name: str, wait_s: float = 1.5) -> None:
            await pilot.pause(wait_s)
            app.save_screenshot(f"{name}-{named}", str(out))

        await picture("lab", 8.0)  # until torchinfo's figures are there
        step13 = next(run for run in reversed(list_runs(runs)) if run.preset == "step13")
        app.open_run(Playing(find_run(runs, step13.run)))
        await picture("monitor", 6.0)
        await pilot.press("3")
        await pilot.pause(1.0)
        await pilot.press("space", "down", "down", "space")
        await picture("runs")
        await pilot.press("c")
        await picture("compare", 3.0)
        await pilot.press("escape")
        app.open_lesson()
        await pilot.pause(1.0)
        await pilot.press("v", *["tab"] * 3, *["right"] * 5)  # the wrong derivative by w1
        await picture("lesson")
        app.exit()


def main() -> None:
    """Take every picture at every size."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "pictures"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        _quiet(Path(folder))
        runs = Path(folder) / "runs"
        shutil.copytree(HERE / "recorded", runs)
        for size in SIZES:
            asyncio.run(_take(runs, size, out))
    print(*sorted(path.name for path in out.glob("*.svg")), sep="\n")


if __name__ == "__main__":
    main()
