"""The text of an event: the same in `log.txt`, on the command line and on the screen."""

from __future__ import annotations

import math

from tuitrain import figures
from tuitrain.errors import visible
from tuitrain.runs.history import History
from tuitrain.training.events import CheckpointSaved, Control, Notice


def state_text(name: str) -> str:
    """What a run is doing, or how it ended, in a word or two: `compiling`, `out of memory`, and `done` for `completed`."""
    return "done" if name == "completed" else visible(name).replace("_", " ")


def position_text(epoch: int, step: int) -> str:
    """The position in a run: `after epoch 3`, `in epoch 4, step 120`; `epoch` are finished ones."""
    if step:
        return f"in epoch {epoch + 1}, step {step:,}"
    return f"after epoch {epoch}" if epoch else "before the first step"


def control_text(event: Control, planned: int | None = None) -> str:
    """A command that was carried out; `planned` is the total number of epochs from here on."""
    detail = visible(event.detail)
    match event.action:
        case "paused":
            text = f"paused {position_text(event.epoch, event.step)}"
        case "pause_after":
            text = (
                f"pause after epoch {event.value:.0f}" if event.value else "pause after an epoch taken back"
            )
        case "resumed":
            text = "resumed"
        case "learning_rate":
            text = f"learning rate set to {figures.rate_text(event.value)}"
        case "extended":
            more = event.value if event.value is not None and math.isfinite(event.value) else 0
            text = f"{figures.plural(round(more), 'epoch')} added"
            text += f", {planned} in all" if planned is not None else ""
        case "stop":
            text = f"stopping: {detail}" if detail else "stopping"
        case "checkpoint":
            text = "checkpoint requested"
        case "restarted":
            text = f"restarted {position_text(event.epoch, event.step)}" + (
                f", on {detail}" if detail else ""
            )
        case _:
            text = event.action.replace("_", " ") + (f": {detail}" if detail else "")
    source = visible(event.source)
    return f"{text} ({source})" if source and source != "trainer" else text


def notice_text(event: Notice) -> str:
    """A warning or note: what happened, and what to do about it."""
    return " – ".join(filter(None, (visible(event.message), visible(event.remedy))))


def checkpoint_text(event: CheckpointSaved) -> str:
    """A checkpoint is on disk."""
    best = ", the best so far" if event.best else ""
    return f"checkpoint saved {position_text(event.epoch, event.step)}{best}"


def end_text(history: History) -> str:
    """How a run ended, with its best epoch; empty while it goes on."""
    done, best = history.finished, history.best
    if done is None:
        return ""
    epochs = figures.plural(len(history.epochs), "epoch")
    text = f"{state_text(done.outcome)} after {epochs} in {figures.elapsed_text(done.seconds)}"
    if best is not None:
        text += f", best {figures.accuracy_text(best.test_acc)} in epoch {best.epoch}"
    return f"{text}: {visible(done.message)}" if done.message else text
