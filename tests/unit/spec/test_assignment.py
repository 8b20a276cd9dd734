"""Settings as people type them."""

import pytest

from tuitrain.errors import UsageError
from tuitrain.spec.assignment import assignments, dotted


def test_short_keys_are_those_of_train_and_of_the_flags() -> None:
    keys = (
        "lr",
        "batch-size",
        "l1",
        "optimizer.momentum",
        "train.l1",
        "model.layers[0].conv",
        "challenge.max_epochs",
    )
    assert [dotted(key) for key in keys] == [
        "train.optimizer.lr", "train.batch_size", "train.l1", "train.optimizer.momentum", "train.l1",
        "model.layers[0].conv", "challenge.max_epochs",
    ]  # fmt: skip


def test_a_line_of_settings_is_read_whatever_stands_between_them() -> None:
    wanted = {"train.rotation": [-3, 5.0], "train.optimizer.lr": 0.01, "train.schedule.name": "step"}
    for line in (
        "rotation=[-3, 5.0] lr=0.01 schedule.name=step",
        " rotation = [-3,5.0], lr = 1e-2,schedule.name='step' ",
    ):
        assert assignments(line) == wanted
    assert assignments("  ") == {}
    for wrong in ("rotation", "rotation=", "3 lr=1"):
        with pytest.raises(UsageError, match="key=value"):
            assignments(wrong)
