"""Drawing by hand as data: strokes, what is undone, the nearest image, the threads, the sentences."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tuitrain.data.dataset import Images
from tuitrain.data.nearest import Nearest
from tuitrain.data.picture import fitted
from tuitrain.tui.draw import panes
from tuitrain.workbench.asking import Answer, Latest, Likeness, Sample
from tuitrain.workbench.drawing import Drawing


def test_a_stroke_has_a_soft_edge_and_reaches_from_end_to_end() -> None:
    drawing = Drawing()
    drawing.begin()
    drawing.line((5.5, 14.5), (22.5, 14.5))
    rows = drawing.image[:, 10].tolist()
    assert rows[12:17] == [0, 153, 255, 153, 0]  # white in the middle, 1 pixel away 0.6 of it
    assert drawing.image[14, 5:23].min() == 255 and drawing.image[14, [3, 24]].max() == 0
    before = drawing.image.copy()
    drawing.begin()
    drawing.line((14.5, 2.5), (14.5, 14.5))
    assert (drawing.image >= before).all()  # a stroke over another takes nothing away
    drawing.begin()
    drawing.line((0.0, 14.5), (28.0, 14.5), rub=True)
    assert drawing.image[14].max() == 0 and drawing.image[8, 14] == 255
    drawing.undo()
    drawing.undo()
    assert np.array_equal(drawing.image, before)
    assert drawing.undo() and drawing.empty and not drawing.undo()
    drawing.line((-4, 90), (1e3, -7))  # outside of the field
    drawing.clear()
    number = drawing.number
    drawing.clear()
    assert drawing.number == number  # an empty field is as it was


def test_a_test_image_is_one_until_it_is_drawn_on() -> None:
    drawing, image = Drawing(), np.eye(28, dtype=np.uint8)
    drawing.take(image, 7)
    assert drawing.index == 7
    drawing.begin()
    drawing.line((3, 3), (3, 3))
    assert drawing.index is None and not np.array_equal(drawing.image, image)
    assert drawing.undo() and drawing.index == 7 and np.array_equal(drawing.image, image)


def test_what_is_drawn_in_a_corner_is_centred_as_mnist_is() -> None:
    drawing = Drawing()
    drawing.line((2, 2), (2, 10))
    drawing.line((2, 10), (8, 10))
    made = fitted(drawing.image.astype(np.float32), "mnist")
    image = made.image.astype(float)
    mass = [(image.sum(axis) * (np.arange(28) + 0.5)).sum() / image.sum() for axis in (1, 0)]
    assert mass == pytest.approx([14, 14], abs=0.6) and np.ptp(np.flatnonzero(image.max(1))) == 19
    assert "centred by its centre of mass" in made.done[-1]


def test_the_nearest_image_is_the_one_of_all() -> None:
    numbers = np.random.default_rng(3)
    images = numbers.integers(0, 256, (500, 28, 28), dtype=np.uint8) * (numbers.random((500, 28, 28)) < 0.3)
    images = (images * numbers.random((500, 1, 1))).astype(np.uint8)  # dark ones and bright ones
    images[400] = images[20]
    found = Nearest(Images(images.astype(np.uint8), np.zeros(500, np.uint8)))
    for index in (20, 0, 499, *numbers.integers(0, 400, 10).tolist()):
        query = images[index].astype(np.uint8)
        assert found.find(query) == index and np.array_equal(found.image(index), query)
        noisy = np.clip(query.astype(int) + numbers.integers(-90, 90, (28, 28)), 0, 255).astype(np.uint8)
        distances = ((images.astype(int) - noisy) ** 2).sum((1, 2))
        assert found.find(noisy) == distances.argmin()
    assert found.find(np.zeros((28, 28), np.uint8)) == (images.astype(int) ** 2).sum((1, 2)).argmin()


def test_of_questions_meanwhile_only_the_latest_is_answered() -> None:
    answered: list[int] = []
    busy, first = threading.Event(), threading.Event()

    def answer(question: int) -> None:
        answered.append(question)
        first.set()
        busy.wait(60)

    asked = Latest(answer, "test")
    asked.ask(1)
    assert first.wait(60)
    for question in range(2, 9):
        asked.ask(question)
    busy.set()
    for _ in range(6000):
        if answered[-1] == 8:
            break
        threading.Event().wait(0.01)
    assert answered == [1, 8]
    asked.close()


def _answer(best: int, done: tuple[str, ...] = ()) -> Answer:
    network: Any = SimpleNamespace(classes=tuple(map(str, range(10))))
    chances = np.full(10, 0.01, np.float32)
    chances[best] = 0.91
    return Answer(None, network, np.full((28, 28), 200, np.uint8), chances, done)  # type: ignore[arg-type]


def _words(*what: Any, width: int = 200, empty: bool = False) -> str:
    answer, likeness, sample, *problems = what
    lines = panes.sentences(answer, likeness, sample, problems, width, empty=empty)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_the_sentences_say_what_the_network_takes_it_for() -> None:
    answer, image = _answer(8, ("centred",)), np.zeros((28, 28), np.uint8)
    assert "arrow keys after space" in _words(None, None, None, empty=True)
    assert _words(None, None, None, "no network") == "no network"
    assert _words(answer, None, None) == "what was done to it: centred"
    wrong = Likeness(answer, 4123, image, 3, 8)
    assert "looks like the 3 that it takes for an 8  training image 4,123" in _words(answer, wrong, None)
    assert "looks like an 8 that it gets right" in _words(answer, Likeness(answer, 5, image, 8, 8), None)
    sample = Sample(12, image, 3, "test")
    assert "test image 12: a 3, which it takes for an 8" in _words(answer, None, sample)
    assert "a 3, which it gets right" in _words(_answer(3), None, sample)


def test_the_pictures_stand_where_there_is_room() -> None:
    answer = _answer(2)
    likeness = Likeness(answer, 1, np.zeros((28, 28), np.uint8), 2, 2)
    for width, height, lines in ((29, 10, 10), (48, 16, 16), (60, 30, 26), (40, 22, 19)):
        rows = panes.said(answer, likeness, width, height, "plain")
        texts = ["".join(text for text, _ in row) for row in rows]
        assert len(rows) == lines and max(map(len, texts)) <= width
        assert ("it is given" in "".join(texts)) == (lines > 10), (width, height)
        assert any("▸2" in text and "91.00 %" in text for text in texts)
