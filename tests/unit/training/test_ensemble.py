"""Several seeds at once: each gives what its own run gives, to the bit."""

import math
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from support.training_small import CPU, METRICS, WORDS, metrics, run, stripes, tiny
from tuitrain.errors import UsageError
from tuitrain.spec.preset import Preset, override
from tuitrain.training import ensemble as ensembles
from tuitrain.training import epoch_images
from tuitrain.training.command import RunControl
from tuitrain.training.ensemble import Ensemble, EnsembleEpoch
from tuitrain.training.epoch_images import EpochImages
from tuitrain.training.events import EpochFinished
from tuitrain.training.runtime import Runtime

ADAM = {"name": "adam", "lr": 0.003}
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


def compare(preset: Preset, runtime: Runtime, **more: Any) -> None:
    seeds = [3, 11, 5]
    ensemble = Ensemble(preset, stripes(), seeds, runtime, **more)
    epochs = list(ensemble.run())
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    for index, seed in enumerate(seeds):
        single, events = run(override(preset, {"train.seed": seed}), runtime=runtime)
        own = {f"model.{name}": tensor for name, tensor in ensemble.weights(index).items()}
        own |= {f"optimizer.{name}": tensor for name, tensor in ensemble.optimizer_state(index).items()}
        own |= {f"ema.{name}": tensor for name, tensor in ensemble.averaged_state(index).items()}
        theirs = single.state().tensors()
        assert own.keys() == theirs.keys()
        assert all(torch.equal(own[name], theirs[name]) for name in own), seed
        for many, one in zip(epochs, single.position.history, strict=True):
            assert [getattr(many, name)[index] for name in METRICS[1:5]] == [
                getattr(one, name) for name in METRICS[1:5]
            ]
            assert many.lr == one.lr
            if preset.train.ema:
                assert (many.ema_test_loss[index], many.ema_test_acc[index]) == (
                    one.ema_test_loss,
                    one.ema_test_acc,
                )
        norms = [event.norms for event in events if isinstance(event, EpochFinished)]
        assert [epoch.norms[index] for epoch in epochs] == norms and all(norms)
        seen = single.inspection()
        assert seen is not None and (seen.predictions == ensemble.evaluation(index).predictions).all()
    assert len({epoch.train_loss for epoch in epochs}) == 2
    assert len(set(epochs[0].train_loss)) == 3


@pytest.mark.parametrize("preset", CASES)
@pytest.mark.slow
def test_each_seed_is_its_own_run(preset: Preset) -> None:
    compare(preset, CPU)


@pytest.mark.parametrize("streams", [1, 2])
def test_each_seed_is_its_own_run_where_all_are_captured(streams: int, as_graph: list[Any]) -> None:
    compare(tiny(epochs=2, schedule={"name": "onecycle"}), CPU, streams=streams)


def test_seeds_go_on_where_they_were_to_the_bit() -> None:
    preset = tiny(epochs=2, optimizer=ADAM)
    whole = Ensemble(preset, stripes(), [3, 11], CPU)
    list(whole.run())
    half = Ensemble(preset, stripes(), [3, 11], CPU)
    next(half.run())
    rest = Ensemble(preset, stripes(), [3, 11], CPU)
    rest.load([half.weights(k) for k in (0, 1)], [half.optimizer_state(k) for k in (0, 1)])
    list(rest.run(begin=1))
    for name, tensor in whole.weights(1).items():
        assert torch.equal(rest.weights(1)[name], tensor), name


def test_images_that_are_made_ahead_are_those_of_the_epoch_and_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[int, int]] = []

    class Event:  # where CUDA's would be
        def wait_event(self, event: object) -> None:
            """It has come."""

    def make_ahead(self: EpochImages, epoch: int, index: int = 0) -> None:
        self._ahead = epoch_images._Ahead(epoch, *self._make(epoch), None)

    def make(self: EpochImages, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        made.append((self.seed, epoch))
        return sound(self, epoch)

    preset = tiny(epochs=3)  # five steps: two seeds at the last two of them
    expected = Ensemble(preset, stripes(), [3, 11], CPU)
    list(expected.run())
    alone = metrics(run(preset)[0])
    sound = EpochImages._make
    monkeypatch.setattr(EpochImages, "make_ahead", make_ahead)
    monkeypatch.setattr(EpochImages, "_make", make)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: Event())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)
    monkeypatch.setattr(ensembles, "FILLED", 4)
    found = Ensemble(preset, stripes(), [3, 11], CPU)
    list(found.run())
    assert made == [(3, 0), (11, 0), (3, 1), (11, 1), (3, 2), (11, 2)]
    for name, tensor in expected.weights(1).items():
        assert torch.equal(found.weights(1)[name], tensor), name
    made.clear()
    assert metrics(run(preset)[0]) == alone
    assert made == [(preset.train.seed, epoch) for epoch in (0, 1, 2)]


def test_where_memory_is_short_images_are_not_made_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def make(self: EpochImages, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        tried.append(epoch)
        raise torch.OutOfMemoryError("CUDA out of memory")

    preset = tiny()
    feed = EpochImages(preset, preset.table(), stripes())
    on_card = SimpleNamespace(device=torch.device("cuda", 0), nbytes=epoch_images.AHEAD_BYTES // 2)
    monkeypatch.setattr(feed, "_train", (on_card, None))
    monkeypatch.setattr(EpochImages, "_make", make)
    monkeypatch.setattr(epoch_images, "_streams", {0: None})
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "Event", SimpleNamespace)
    feed.make_ahead(1, index=1)
    feed.make_ahead(1, index=2)  # beyond what is allowed to take memory
    assert (tried, feed._ahead) == ([1], None)


@pytest.mark.gpu
def test_images_that_are_made_ahead_are_those_of_the_epoch_on_the_gpu() -> None:
    preset, data = tiny(rotation=7.0, shift=2.0), stripes(60_000, 100)
    ahead, at_once = (EpochImages(preset, preset.table(), data) for _ in range(2))
    for feed in (ahead, at_once):
        feed.to(torch.device("cuda", 0))
    for epoch in range(3):
        ahead.make_ahead(epoch)
        assert ahead._ahead is not None
        for made, expected in zip(ahead.epoch(epoch), at_once.epoch(epoch), strict=True):
            assert torch.equal(made, expected)


@pytest.mark.gpu
@pytest.mark.parametrize("preset", CASES)
@pytest.mark.parametrize("graph", [True, False])
def test_each_seed_is_its_own_run_on_the_gpu(preset: Preset, graph: bool) -> None:
    compare(preset, Runtime(device="cuda", compile="off", deterministic=True, graph=graph))


def test_a_seed_that_diverges_leaves_the_others_alone() -> None:
    preset = tiny(epochs=2)
    ensemble = Ensemble(preset, stripes(), [3, 11], CPU)
    with torch.no_grad():
        ensemble._steppers[0].network.conv1.weight.fill_(math.nan)  # type: ignore[union-attr, operator]
    epochs: list[EnsembleEpoch] = list(ensemble.run())
    alone = list(Ensemble(preset, stripes(), [11], CPU).run())
    assert math.isnan(epochs[-1].test_acc[0])
    assert epochs[-1].test_loss[1] == alone[-1].test_loss[0]


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
