"""Several seeds at once: each gives what its own run gives, within rounding."""

import math

import pytest
import torch

from support.training_small import CPU, WORDS, run, stripes, tiny
from tuitrain.errors import UsageError
from tuitrain.spec.preset import Preset, override
from tuitrain.training.command import RunControl
from tuitrain.training.ensemble import Ensemble, EnsembleEpoch
from tuitrain.training.runtime import Runtime

# With Adam's own eps a gradient of nothing but rounding would move a weight as far as any other.
ADAM = {"name": "adam", "lr": 0.003, "eps": 1e-3}
CASES = [
    tiny(epochs=2),
    tiny(epochs=2, batch_size=50, optimizer=ADAM, label_smoothing=0.1, l1=1e-4),
    tiny(epochs=2, clip_norm=0.5, clip_value=0.2),
    tiny(
        [{"flatten": True}, {"linear": 12, "then": ["relu", "layernorm", "dropout"]}, {"linear": 10}],
        epochs=2,
        schedule={"name": "onecycle"},
    ),
    tiny(WORDS, epochs=2, ema=0.8),
]


def compare(preset: Preset, runtime: Runtime, tolerance: float) -> None:
    seeds = [3, 11, 5]
    ensemble = Ensemble(preset, stripes(), seeds, runtime)
    epochs = list(ensemble.run())
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    for index, seed in enumerate(seeds):
        single, _ = run(override(preset, {"train.seed": seed}), runtime=runtime)
        weights = ensemble.weights(index)
        for name, tensor in single.state().model.items():
            assert torch.allclose(weights[name].float(), tensor.float(), atol=tolerance), (seed, name)
        for many, one in zip(epochs, single.position.history, strict=True):
            assert math.isclose(many.train_loss[index], one.train_loss, rel_tol=10 * tolerance)
            assert math.isclose(many.test_loss[index], one.test_loss, rel_tol=10 * tolerance)
            assert abs(many.train_acc[index] - one.train_acc) < 0.02
            assert many.lr == one.lr
            if preset.train.ema:
                assert math.isclose(many.ema_test_loss[index], one.ema_test_loss, rel_tol=10 * tolerance)
                assert abs(many.ema_test_acc[index] - one.ema_test_acc) < 0.02
        averages = single.state().ema
        assert ensemble.averaged_state(index).keys() == averages.keys()
        for name, tensor in ensemble.averaged_state(index).items():
            assert torch.allclose(tensor, averages[name], atol=tolerance), (seed, name)
    assert len({epoch.train_loss for epoch in epochs}) == 2
    assert len(set(epochs[0].train_loss)) == 3


@pytest.mark.parametrize("preset", CASES)
@pytest.mark.slow
def test_each_seed_is_its_own_run(preset: Preset) -> None:
    compare(preset, CPU, 1e-3)


@pytest.mark.gpu
@pytest.mark.parametrize("preset", CASES)
@pytest.mark.parametrize("graph", [True, False])
def test_each_seed_is_its_own_run_on_the_gpu(preset: Preset, graph: bool) -> None:
    compare(preset, Runtime(device="cuda", compile="off", deterministic=True, graph=graph), 1e-2)


def test_a_seed_that_diverges_leaves_the_others_alone() -> None:
    preset = tiny(epochs=2)
    ensemble = Ensemble(preset, stripes(), [3, 11], CPU)
    with torch.no_grad():
        ensemble._parameters["conv1.weight"][0].fill_(math.nan)
    epochs: list[EnsembleEpoch] = list(ensemble.run())
    alone = list(Ensemble(preset, stripes(), [11], CPU).run())
    assert math.isnan(epochs[-1].test_acc[0])
    assert math.isclose(epochs[-1].test_loss[1], alone[-1].test_loss[0], rel_tol=1e-2)


def test_it_stops_between_epochs() -> None:
    control = RunControl()
    control.stop()
    assert len(list(Ensemble(tiny(), stripes(), [1], CPU).run(control))) == 1


@pytest.mark.parametrize("seeds", [[], [1, 1], list(range(1000))])
def test_seeds_that_make_no_sense_are_refused(seeds: list[int]) -> None:
    with pytest.raises(UsageError):
        Ensemble(tiny(), stripes(), seeds, CPU)


def test_an_end_that_differs_from_seed_to_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="early_stop"):
        Ensemble(tiny(early_stop={"patience": 2}), stripes(), [1, 2], CPU)


def test_a_schedule_that_differs_from_seed_to_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="plateau"):
        Ensemble(tiny(schedule={"name": "plateau"}), stripes(), [1, 2], CPU)
