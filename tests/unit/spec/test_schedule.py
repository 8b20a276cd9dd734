"""The learning rate equals torch's schedulers, and the challenge judges as written."""

import math
from dataclasses import dataclass

import pytest

from tuitrain.spec.challenge import check_challenge
from tuitrain.spec.preset import override
from tuitrain.spec.preset_files import load_preset
from tuitrain.spec.schedule import LearningRate

STEPS, EPOCHS = 7, 12


def settings(schedule: object, lr: float = 0.02):
    return override(
        load_preset("step13"), {"train.schedule": schedule, "train.epochs": EPOCHS, "train.optimizer.lr": lr}
    ).train


def torch_rates(make) -> list[float]:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(EPOCHS):
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        ("constant", lambda s, o: s.ConstantLR(o, factor=1.0)),
        ({"name": "step", "step_size": 5, "gamma": 0.15}, lambda s, o: s.StepLR(o, 5, 0.15)),
        (
            {"name": "multistep", "milestones": [3, 7], "gamma": 0.3},
            lambda s, o: s.MultiStepLR(o, [3, 7], 0.3),
        ),
        ({"name": "exponential", "gamma": 0.8}, lambda s, o: s.ExponentialLR(o, 0.8)),
        ({"name": "cosine", "min_lr": 0.001}, lambda s, o: s.CosineAnnealingLR(o, EPOCHS, 0.001)),
        (
            {"name": "cosine_restarts", "period": 4, "min_lr": 0.001},
            lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 1, 0.001),
        ),
        (
            {"name": "cosine_restarts", "period": 2, "period_factor": 3},
            lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 3),
        ),
    ],
)
def test_equals_torch(schedule, make) -> None:
    ours = LearningRate(settings(schedule), STEPS)
    rates = [ours.lr_at(epoch, step) for epoch in range(EPOCHS) for step in range(STEPS)]
    assert rates == pytest.approx(torch_rates(make), rel=1e-9)


def test_one_cycle_equals_torch() -> None:
    ours = LearningRate(settings({"name": "onecycle", "pct_start": 0.4}), STEPS)
    rates = [ours.lr_at(epoch, step) for epoch in range(EPOCHS) for step in range(STEPS)]
    again = torch_one_cycle(0.02, EPOCHS * STEPS, 0.4)
    assert rates == pytest.approx(again, rel=1e-9)
    assert max(rates) == pytest.approx(0.02, rel=1e-3)


@pytest.mark.parametrize(
    ("settings_", "up", "down", "mode", "gamma"),
    [
        ({}, 14, 14, "triangular", 1.0),
        ({"epochs_up": 1.5, "epochs_down": 0.4}, 10.5, 2.8, "triangular", 1.0),
        ({"mode": "triangular2", "epochs_up": 1}, 7, 7, "triangular2", 1.0),
        ({"mode": "exp_range", "gamma": 0.99, "epochs_down": 1}, 14, 7, "exp_range", 0.99),
    ],
)
def test_cyclic_equals_torch(settings_, up: float, down: float, mode: str, gamma: float) -> None:
    ours = LearningRate(settings({"name": "cyclic", "div_factor": 8.0, **settings_}), STEPS)
    rates = [ours.lr_at(epoch, step) for epoch in range(EPOCHS) for step in range(STEPS)]
    assert rates == pytest.approx(
        every_step(
            lambda s, o: s.CyclicLR(o, 0.0025, 0.02, up, down, mode=mode, gamma=gamma, cycle_momentum=False)
        ),
        rel=1e-9,
    )


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        ("constant", lambda s, o: s.ConstantLR(o, factor=1.0)),
        ({"name": "step", "step_size": 2, "gamma": 0.5}, lambda s, o: s.StepLR(o, 2 * STEPS, 0.5)),
        (
            {"name": "onecycle"},
            lambda s, o: s.OneCycleLR(o, 0.02, total_steps=(EPOCHS - 3) * STEPS, cycle_momentum=False),
        ),
        (
            {"name": "cyclic", "epochs_up": 1},
            lambda s, o: s.CyclicLR(o, 0.002, 0.02, STEPS, cycle_momentum=False),
        ),
    ],
)
def test_warm_up_before_a_schedule_equals_torch(schedule, make) -> None:
    train = settings(schedule).model_copy(update={"warmup": 3, "warmup_start": 0.2})

    def both(s, o):
        warm = s.LinearLR(o, start_factor=0.2, total_iters=3 * STEPS)
        return s.SequentialLR(o, [warm, make(s, o)], milestones=[3 * STEPS])

    ours = LearningRate(train, STEPS)
    rates = [ours.lr_at(epoch, step) for epoch in range(EPOCHS) for step in range(STEPS)]
    theirs = every_step(both)
    if schedule == {"name": "onecycle"}:
        # Within SequentialLR one-cycle overwrites the rate that the warm-up starts from, so one after the other.
        alone = every_step(lambda s, o: s.LinearLR(o, start_factor=0.2, total_iters=3 * STEPS))
        theirs = alone[: 3 * STEPS] + torch_one_cycle(0.02, (EPOCHS - 3) * STEPS, 0.3)
    assert rates == pytest.approx(theirs, rel=1e-9)


def test_what_is_left_after_the_warm_up_is_the_schedules() -> None:
    train = settings({"name": "cosine"}).model_copy(update={"warmup": 4})
    ours = LearningRate(train, STEPS)
    short = LearningRate(train.model_copy(update={"warmup": 0, "epochs": EPOCHS - 4}), STEPS)
    assert [ours.lr_at(e) for e in range(4, EPOCHS)] == [short.lr_at(e) for e in range(EPOCHS - 4)]
    assert ours.lr_at(0) == pytest.approx(0.002)
    longer_than_the_run = LearningRate(train.model_copy(update={"warmup": 50}), STEPS)
    assert max(longer_than_the_run.over_epochs()) < 0.01


@pytest.mark.parametrize("schedule", ["constant", "cyclic", "cosine_restarts", "plateau"])
def test_schedule_and_warm_up_come_back_with_the_state(schedule: str) -> None:
    train = settings(schedule).model_copy(update={"warmup": 2})
    ours, again = LearningRate(train, STEPS), LearningRate(train, STEPS)
    ours.rebase(0.5, epoch=5, step=3)
    again.load_state_dict(ours.state_dict())
    places = [(epoch, step) for epoch in range(EPOCHS) for step in range(STEPS)]
    assert [again.lr_at(*place) for place in places] == [ours.lr_at(*place) for place in places]
    assert ours.lr_at(5, 3) == pytest.approx(0.5)


def every_step(make) -> list[float]:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(EPOCHS * STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < EPOCHS * STEPS:
            scheduler.step()
    return rates


def torch_one_cycle(peak: float, total: int, pct_start: float) -> list[float]:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=total, pct_start=pct_start, cycle_momentum=False
    )
    rates = []
    for step in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step + 1 < total:
            scheduler.step()
    return rates


def test_plateau_equals_torch_and_survives_its_state() -> None:
    import torch

    train = settings({"name": "plateau", "factor": 0.5, "patience": 1, "threshold": 1e-3})
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4, 0.4]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=1e-3)
    ours = LearningRate(train, STEPS)
    for epoch, loss in enumerate(losses):
        assert ours.lr_at(epoch) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(loss)
        ours.observe(loss)
        again = LearningRate(train, STEPS)
        again.load_state_dict(ours.state_dict())
        ours = again


def test_rebase_scales_the_rest() -> None:
    ours = LearningRate(settings({"name": "step", "step_size": 5, "gamma": 0.1}), STEPS)
    ours.rebase(0.004, epoch=6)
    assert ours.lr_at(6) == pytest.approx(0.004)
    assert ours.lr_at(10) == pytest.approx(0.0004)


@dataclass
class Epoch:
    epoch: int
    test_acc: float


def judged(name: str, accuracies: list[float], finished: bool = True) -> dict[str, bool | None]:
    preset = load_preset(name)
    history = [Epoch(i + 1, acc) for i, acc in enumerate(accuracies)]
    return {p.point: p.met for p in check_challenge(preset, preset.table(), history, finished=finished)}


def test_before_training_only_the_preset_is_judged() -> None:
    preset = load_preset("twelvek")
    points = {p.point: p.met for p in check_challenge(preset, preset.table())}
    assert points == {
        "parameters": True, "epochs": True, "batchnorm": True, "linear": True, "global_avgpool": True, "conv1x1": True,
        "dropout": True, "batch size": True, "rotation": True, "accuracy": None, "consistency": None,
    }  # fmt: skip


def test_an_epoch_without_an_accuracy_is_not_the_best_that_was_reached() -> None:
    preset = load_preset("step13")
    for accuracies in ((math.nan, 0.5, 0.9), (0.9, math.nan)):
        history = [Epoch(n, acc) for n, acc in enumerate(accuracies, 1)]
        points = check_challenge(preset, preset.table(), history, finished=True)
        assert next(p.got for p in points if p.point == "accuracy").startswith("90.00 %"), accuracies


def test_one_lucky_epoch_is_not_consistency() -> None:
    assert judged("step13", [0.99] * 13 + [0.994])["accuracy"] is True
    assert judged("step13", [0.99] * 13 + [0.994])["consistency"] is False
    assert judged("step13", [0.99] * 9 + [0.994] * 5)["consistency"] is True
    assert judged("step13", [0.99] * 14)["accuracy"] is False
    assert judged("step13", [0.99] * 3, finished=False)["accuracy"] is None


@pytest.mark.parametrize(
    ("name", "epochs", "met", "got"),
    [("step13", 0, None, "–"), ("step13", 3, None, "3 so far"), ("step13", 16, False, "16"), ("twelvek", 4, None, "4 so far")],
)  # fmt: skip
def test_of_a_run_that_was_cut_off_the_number_of_epochs_stays_open(
    name: str, epochs: int, met: bool | None, got: str
) -> None:
    preset, history = load_preset(name), [Epoch(i + 1, 0.9) for i in range(epochs)]
    (point,) = [
        p
        for p in check_challenge(preset, preset.table(), history, finished=True, cut_off=True)
        if p.point == "epochs"
    ]
    assert (point.met, point.got) == (met, got)


def test_target_is_reached_exactly_whatever_binary_rounding() -> None:
    assert judged("step13", [9940 / 10000])["accuracy"] is True
    assert judged("step13", [9939 / 10000])["accuracy"] is False


def test_broken_rules_are_said_before_training() -> None:
    base = load_preset("twelvek")
    broken = override(base, {"train.dropout": 0.1, "train.epochs": 20, "model.layers[0].conv": 64})
    points = {p.point: p.met for p in check_challenge(broken, broken.table())}
    assert (points["dropout"], points["epochs"], points["parameters"]) == (False, False, False)
