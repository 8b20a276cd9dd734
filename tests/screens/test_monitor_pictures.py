"""Pictures of the last evaluation: mistakes, kernels, sparklines."""

from __future__ import annotations

import math

import numpy as np
from rich.style import Style

from support.monitor_stage import StageApp, live, settle
from tuitrain.training.inspection import LastEvaluation
from tuitrain.tui.paint import pictures
from tuitrain.tui.paint.bars import bucketed, spark_range
from tuitrain.watch.ghosts import JudgingImages

# ------------------------------------------------------------------------------ pictures


def inspection() -> LastEvaluation:
    rng = np.random.default_rng(1)
    labels = np.arange(200, dtype=np.uint8) % 10
    predictions = labels.copy()
    predictions[:5] = (labels[:5] + 1) % 10
    confidences = np.linspace(0.5, 0.99, 200).astype(np.float32)
    return LastEvaluation(labels, predictions, confidences, 8, rng.normal(size=(10, 3, 3)).astype(np.float32))


def test_the_most_confident_mistake_comes_first() -> None:
    seen = inspection()
    images = np.zeros((200, 28, 28), np.uint8)
    heading, rows = pictures.mistakes(seen, images, (), 78, small=True, ink="light")
    assert "5 misclassified after epoch 8" in heading[0][0]
    assert "".join(text for text, _ in rows[0]).split()[:3] == ["4", "→", "5"]


def test_without_the_images_the_list_is_still_there() -> None:
    _, rows = pictures.mistakes(inspection(), None, (), 78, small=True, ink="light")
    text = "\n".join("".join(t for t, _ in row) for row in rows)
    assert "can't be read here" in text and "4 → 5" in text


def test_a_digit_is_seen_without_colours() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 12:16] = 255
    plain = ["".join(t for t, _ in row) for row in pictures.digit(image, "plain")]
    assert len(plain) == 14 and all(len(row) == 28 for row in plain)
    assert plain[0].strip() == "" and plain[6][12:16] == "@@@@"
    coloured = pictures.digit(image)
    assert all(isinstance(style, Style) for row in coloured for _, style in row)


def test_kernels_are_as_large_as_they_fit() -> None:
    layer = inspection().first_layer
    _, small = pictures.kernel_lines(layer, 8, 78, 11, "light")
    _, large = pictures.kernel_lines(layer, 8, 118, 30, "light")
    assert len(small) <= 11 and len(small) < len(large) <= 30
    assert pictures.kernel_lines(None, 8, 78, 11, "light")[1] == []


async def test_views_of_the_last_evaluation() -> None:
    app = StageApp(live())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.monitor._shown.inspection = inspection()
        app.monitor._shown.judged = JudgingImages(np.zeros((200, 28, 28), np.uint8), ())
        for key, piece in (
            ("8", "5 of 200 wrong"),
            ("9", "5 misclassified"),
            ("0", "10 first-layer kernels"),
        ):
            await pilot.press(key)
            assert piece in await settle(pilot), key


def test_a_sparkline_of_more_epochs_than_cells_keeps_its_peaks() -> None:
    values = [0.0] * 99
    values[50] = 1.0
    assert max(bucketed(values, 10)) == 1.0 and len(bucketed(values, 10)) == 10
    assert bucketed([1.0, 2.0], 10) == [1.0, 2.0]


def test_a_sparkline_shows_the_shape_of_the_end() -> None:
    assert spark_range([0.49, 0.93, 0.95, 0.951, 0.96, 0.965, 0.966]) == (0.93, 0.966)
    assert spark_range([0.984, 0.986, 0.99]) == (0.984, 0.99)
    assert spark_range([0.9, 0.9]) == (0.9, 0.9)
    assert all(math.isnan(v) for v in spark_range([math.nan]))
