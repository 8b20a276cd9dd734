"""Settings as people type them, `key=value`: on the command line, in a comparison's sides, in a field of the app."""

from __future__ import annotations

import re
from typing import Any

from tuitrain import tomltext
from tuitrain.errors import UsageError, visible

#: The dotted key of each short one; each is also a flag of `tuitrain run`.
KEYS = {
    "epochs": "train.epochs",
    "batch_size": "train.batch_size",
    "lr": "train.optimizer.lr",
    "dropout": "train.dropout",
    "rotation": "train.rotation",
    "seed": "train.seed",
    "dataset": "train.dataset",
    "val_split": "train.val_split",
    "target_epochs": "train.early_stop.target_epochs",
    "target_accuracy": "train.early_stop.target_accuracy",
    "patience": "train.early_stop.patience",
    "max_seconds": "train.early_stop.max_seconds",
}
#: What a dotted key may begin with; one that begins with something else is a key of `train`.
_ROOTS = frozenset({"schema", "name", "title", "train", "model", "challenge", "claims", "story"})
#: The parts of a line of several settings: a text in quotes, a bracket, what stands before the next key, any other.
_PARTS = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')|(?P<open>[\[{])|(?P<close>[\]}])|(?P<between>[\s,]+(?=[A-Za-z_][\w.\[\]-]*\s*=))|.""",
    re.DOTALL,
)


def dotted(key: str) -> str:
    """The dotted key of `lr`, `l1` or `train.l1`."""
    known = KEYS.get(key.replace("-", "_"))
    if known is not None:
        return known
    return key if re.split(r"[.\[]", key)[0] in _ROOTS else f"train.{key}"


def value_of(text: str) -> Any:
    """The value of a text as in TOML; a word needs no quotes."""
    try:
        return tomltext.tables(f"value = {text}")["value"]
    except ValueError:
        return text


def settings_in(text: str) -> list[str]:
    """The settings of a line such as `rotation=3 schedule={ name = "step", step_size = 3 }`, each as its text.

    Spaces or commas stand between them; what is in brackets or quotes belongs together.
    """
    out, start, depth = [], 0, 0
    for part in _PARTS.finditer(text):
        depth = max(0, depth + (part.lastgroup == "open") - (part.lastgroup == "close"))
        if part.lastgroup == "between" and not depth:
            out.append(text[start : part.start()])
            start = part.end()
    return [found for found in (found.strip(" ,\t") for found in [*out, text[start:]]) if found]


def assignments(text: str) -> dict[str, Any]:
    """The settings of a line such as `rotation=3 batch_size=128`, by dotted key; commas may stand between them too.

    Raises:
        UsageError: a part of it is no setting.
    """
    out: dict[str, Any] = {}
    for part in settings_in(text):
        key, equals, value = part.partition("=")
        if not equals or not value.strip():
            raise UsageError(f"'{visible(part)}': write it as key=value, such as rotation=3.")
        out[dotted(key.strip())] = value_of(value.strip())
    return out
