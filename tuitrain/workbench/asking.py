"""What a network says of a drawing, and which training image is like it: found out in threads.

Of what is asked while a thread is busy, only the latest is answered, so that nobody waits for what nobody sees any more.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from tuitrain.data.picture import Picture, fitted
from tuitrain.errors import TuitrainError, visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuitrain.data.dataset import Images
    from tuitrain.data.nearest import Nearest
    from tuitrain.runs.trained import TrainedNetwork
    from tuitrain.spec.preset import Preset
    from tuitrain.training.judging import Judge

    Image = NDArray[np.uint8]

LOOK_S = 1.0  # how often a run is looked at for a newer network
REST_S = 0.12  # how long the hand has to rest before a training image is looked for

Asked = TypeVar("Asked")


class Latest(Generic[Asked]):
    """A thread with room for one question: a newer one takes its place.

    Args:
        answer: is called with a question, in the thread.
        name: of the thread.
        rest_s: how long a question waits for a newer one.
    """

    def __init__(self, answer: Callable[[Asked], None], name: str, rest_s: float = 0.0) -> None:
        self._answer, self._rest_s = answer, rest_s
        self._slot: list[Asked] = []
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def ask(self, question: Asked) -> None:
        """Puts a question."""
        with self._changed:
            self._slot[:] = [question]
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread, after the question that it is at."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._slot or self._closed)
                while not self._closed and self._rest_s and self._changed.wait(self._rest_s):
                    pass
                if self._closed:
                    return
                question = self._slot.pop()
            self._answer(question)


@dataclass(frozen=True, eq=False)
class Question:
    """What a run's network says of an image.

    Attributes:
        run: path of the run.
        number: of the drawing.
        image: uint8 (28, 28); None for nothing drawn.
        as_it_is: it is an image of the set already.
        averaged: whether the network has the averaged weights.
    """

    run: Path
    number: int
    image: Image | None
    as_it_is: bool = False
    averaged: bool = False


@dataclass(frozen=True, eq=False)
class Network:
    """A run's network, ready to be asked."""

    path: Path
    trained: TrainedNetwork
    judge: Judge

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        from tuitrain.data.catalog import class_names

        return class_names(self.preset.train.dataset)

    @property
    def preset(self) -> Preset:
        """What it was trained by."""
        return self.trained.preset

    def probabilities(self, image: Image) -> NDArray[np.float32]:
        """(10,), of an image (28, 28) as those of its set are."""
        found: NDArray[np.float32] = np.exp(self.judge.log_probabilities(image[None])[0])
        return found


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says; without an image, only which network there is.

    Attributes:
        question: which one is answered.
        network: that answered it.
        image: uint8 (28, 28), what it was given.
        probabilities: float32 (10,).
        done: what was done to the drawing, in order, each in a few words.
    """

    question: Question
    network: Network
    image: Image | None = None
    probabilities: NDArray[np.float32] | None = None
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """Why a run's network can't be asked."""

    run: Path
    sentence: str


@dataclass(frozen=True, eq=False)
class Likeness:
    """The training image that is most like what a network was given.

    Attributes:
        answer: that it belongs to.
        index: of the image, counted from 0.
        image: uint8 (28, 28).
        label: its class.
        said: the class that the network takes it for.
    """

    answer: Answer
    index: int
    image: Image
    label: int
    said: int


@dataclass(frozen=True, eq=False)
class Sample:
    """A random image of the set that judges a network's run."""

    index: int
    image: Image
    label: int
    judged_by: str


@dataclass(frozen=True)
class NoData:
    """Why the images of a network's data set can't be had."""

    sentence: str


Told = Answer | Refusal | Likeness | Sample | NoData


class Asker:
    """Asks networks about images.

    Args:
        data_dir: folder of the data sets; nothing is fetched.
        tell: is called with what was found out, in a thread.
    """

    def __init__(self, data_dir: Path | None, tell: Callable[[Told], Any]) -> None:
        self._data_dir, self._tell = data_dir, tell
        self._wanted, self._looked, self._mark = (Path(), False), 0.0, object()
        self._network: Network | None = None
        self._answered: object = None
        self._loading = threading.Lock()
        self._held: tuple[object, Nearest, Images, str] | None = None
        self._questions = Latest(self._answer, "tuitrain-draw")
        self._likenesses = Latest(self._liken, "tuitrain-draw-like", REST_S)
        self._samples = Latest(self._sample, "tuitrain-draw-sample")

    def ask(self, question: Question) -> None:
        """What the network says; it is told again only of another drawing, or by another network."""
        self._questions.ask(question)

    def liken(self, answer: Answer) -> None:
        """Which training image is most like the one of an answer."""
        self._likenesses.ask(answer)

    def sample(self, network: Network) -> None:
        """A random image of the set that judges a network's run."""
        self._samples.ask(network)

    def close(self) -> None:
        """Ends the threads."""
        for one in (self._questions, self._likenesses, self._samples):
            one.close()

    # -- in the threads --------------------------------------------------------------------------

    def _answer(self, question: Question) -> None:
        try:
            network = self._newest(question.run, averaged=question.averaged)
            if network is None or self._answered == (question.number, network):
                return
            answer = Answer(question, network)
            if question.image is not None:
                given = Picture(question.image, ())
                if not question.as_it_is:
                    given = fitted(question.image.astype(np.float32), network.preset.train.dataset)
                chances = network.probabilities(given.image)
                answer = Answer(question, network, given.image, chances, given.done)
            self._answered = question.number, network
            self._tell(answer)
        except (TuitrainError, OSError) as error:
            self._tell(Refusal(question.run, visible(error)))
        except Exception as error:  # a run that can't be read must not end the thread
            self._tell(Refusal(question.run, visible(f"{type(error).__name__}: {error}")))

    def _newest(self, run: Path, *, averaged: bool) -> Network | None:
        """The network of a run as it is now; None where it was refused and nothing has changed.

        Raises:
            TuitrainError: it can't be asked.
        """
        from tuitrain.runs.directory import RunDirectory
        from tuitrain.runs.trained import network_mark, trained_network

        wanted = run, averaged
        if wanted == self._wanted and time.monotonic() < self._looked + LOOK_S:
            return self._network
        mark = network_mark(run)
        if wanted != self._wanted or mark != self._mark:
            self._wanted, self._network = wanted, None
            from tuitrain.training.import_torch import import_torch

            import_torch()
            from tuitrain.training.judging import Judge, use_one_core

            use_one_core()
            self._mark = mark  # of before it is read: what is written meanwhile is seen next time
            trained = trained_network(RunDirectory.open(run), averaged=averaged)
            self._network = Network(run, trained, Judge(trained.network, trained.preset))
        self._looked = time.monotonic()
        return self._network

    def _liken(self, answer: Answer) -> None:
        from tuitrain.training.judging import use_one_core

        use_one_core()
        network, image = answer.network, answer.image
        data = self._data(network.preset)
        if data is not None and image is not None:
            nearest = data[0]
            index = nearest.find(image)
            like = nearest.image(index)
            said = int(network.probabilities(like).argmax())
            self._tell(Likeness(answer, index, like, int(nearest.labels[index]), said))

    def _sample(self, network: Network) -> None:
        data = self._data(network.preset)
        if data is not None:
            _, test, judged_by = data
            index = secrets.randbelow(len(test))
            self._tell(Sample(index, test.images[index], int(test.labels[index]), judged_by))

    def _data(self, preset: Preset) -> tuple[Nearest, Images, str] | None:
        """The images that a preset trains on and those that judge it; None, which is told, where they can't be had."""
        from tuitrain.data.nearest import Nearest
        from tuitrain.runs.launch import load_data

        train = preset.train
        wanted = (train.dataset, train.val_split, train.val_split and train.split_seed)
        with self._loading:
            if self._held is None or self._held[0] != wanted:
                try:
                    dataset = load_data(preset, self._data_dir, fetch=False)
                except (TuitrainError, OSError) as error:
                    self._tell(NoData(visible(error)))
                    return None
                self._held = wanted, Nearest(dataset.train), dataset.test, dataset.judged_by
            return self._held[1:]
