"""What the layers of a watched run's network make of a test image: read in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuitrain.errors import TuitrainError, visible

if TYPE_CHECKING:
    from tuitrain.runs.directory import RunDirectory
    from tuitrain.training.activations import Activations
    from tuitrain.watch.ghosts import JudgingImages


@dataclass(frozen=True, eq=False)
class ShownMaps:
    """The maps, or why there are none.

    Attributes:
        mark: of the network that they are of; see `runs.trained.network_mark`.
        image: of the judging set that they are of, from 0.
        problem: why there are none, or nothing.
        after: how much training.
    """

    mark: object
    image: int = 0
    problem: str = ""
    after: str = ""
    found: Activations | None = None
    classes: tuple[str, ...] = ()


def keeps_network(directory: RunDirectory | None, over: bool) -> bool:
    """Whether a run has kept its network, or may do so yet."""
    from tuitrain.runs.trained import network_mark

    return directory is not None and (not over or network_mark(directory.path) is not None)


def read_maps(
    directory: RunDirectory, judged: JudgingImages, shown: ShownMaps | None, image: int = 0
) -> ShownMaps:
    """The maps of the newest network that a run has kept; the shown ones where they are of it still. For a thread.

    Args:
        directory: of the run.
        judged: the images that it is judged by.
        shown: what is shown now.
        image: which of the images.
    """
    from tuitrain.runs.trained import network_mark, trained_network

    mark = network_mark(directory.path)
    if shown is not None and (shown.mark, shown.image) == (mark, image) and mark is not None:
        return shown
    if mark is None:
        return ShownMaps(mark, image, "this comes with the first checkpoint")
    if judged.images is None or not len(judged.images):
        return ShownMaps(mark, image, "the test images can't be read here")
    from tuitrain.training.import_torch import import_torch

    import_torch()
    from tuitrain.training.activations import activations
    from tuitrain.training.judging import use_one_core

    try:
        trained = trained_network(directory)
        use_one_core()
        found = activations(trained.network, trained.preset, judged.images[image])
    except (TuitrainError, OSError) as error:
        return ShownMaps(mark, image, visible(error))
    steps = f" and {trained.step:,} steps" if trained.step else ""
    return ShownMaps(mark, image, "", f"after epoch {trained.epoch}{steps}", found, judged.classes)
