"""Some images of a data set, as they are stored and as an augmentation makes them, for people to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tuitrain.data.dataset import Dataset
from tuitrain.spec.train import Train


@dataclass(frozen=True)
class Sample:
    """One image: as stored, as augmented, its label, and the caption under it."""

    stored: npt.NDArray[np.uint8]
    augmented: npt.NDArray[np.uint8]
    label: str
    caption: str


def draw(
    dataset: Dataset, train: Train, count: int, draw_number: int, only: int | None
) -> tuple[list[Sample], int]:
    """A draw of training images with the augmentation of the form; the same number gives the same draw.

    Args:
        dataset: a loaded one.
        train: whose augmentation.
        count: how many.
        draw_number: which draw.
        only: a class, or None for all in turn.

    Returns:
        The images, and how many of the class there are.
    """
    import torch

    from tuitrain.data.augment import Augment, rotate  # with torch, which takes a second

    labels = dataset.train.labels
    rng = np.random.default_rng([train.seed % 2**63, draw_number])
    if only is None:
        # In turn, so that draws of fewer than ten go through all classes.
        wanted = [(draw_number * count + i) % 10 for i in range(count)] if count < 10 else list(range(10))
        picked = [rng.choice(np.flatnonzero(labels == label)) for label in wanted]
        while len(picked) < count:
            picked.append(rng.integers(len(labels)))
        index = np.array(picked)
        total = len(labels)
    else:
        of_class = np.flatnonzero(labels == only)
        index = rng.choice(of_class, size=min(count, len(of_class)), replace=False)
        total = len(of_class)
    stored = np.ascontiguousarray(dataset.train.images[index])
    images = torch.from_numpy(stored)
    generator = torch.Generator().manual_seed(train.seed % 2**63 + draw_number)
    augment = Augment.of(train)
    if augment.rotates_only:
        # Drawn by themselves, so that the angles can be written under the images.
        degrees = augment.draw_degrees(images, generator)
        augmented = rotate(images, degrees, augment.fill)
        captions = [f"{angle:+.1f}°".replace("-", "−").replace("−0.0", "0.0") for angle in degrees.tolist()]
    else:
        augmented = augment.apply(images, generator)
        captions = ["" for _ in index]
    classes, changed = dataset.classes, augmented.numpy()
    return [
        Sample(stored[i], changed[i], str(classes[int(labels[index[i]])]), captions[i])
        for i in range(len(index))
    ], total
