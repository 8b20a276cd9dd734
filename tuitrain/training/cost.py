"""What a training costs in seconds, estimated from the network's size. Imports no torch."""

from __future__ import annotations

from math import prod

from tuitrain.spec.table import NetworkTable

#: An eager step on two CPU cores spends 3 ns on each number that a layer or operation puts out, an image.
EAGER_NS = 3.0
#: Compiling takes 27 s on two cores without its cache, 5 s with it, and saves a third of the time: worth it from here.
PAYS_FROM_S = 90.0
#: What is left of an eager epoch's time when it is compiled, and the seconds that compiling takes (see above).
COMPILED_SHARE = 0.6
COMPILING_S = 15.0


def eager_s(table: NetworkTable, images: int, epochs: int) -> float:
    """Seconds of a training on the CPU that is not compiled.

    Args:
        table: of the network.
        images: training images an epoch.
        epochs: of the run.
    """
    outputs = sum(prod(row.output_shape) for row in table.rows)
    return 1e-9 * EAGER_NS * outputs * images * epochs


def cpu_s(table: NetworkTable, images: int, epochs: int) -> float:
    """Seconds of a training on the CPU that is compiled after its first epoch if that is worth it."""
    eager = eager_s(table, images, epochs)
    if eager < PAYS_FROM_S or epochs < 2:
        return eager
    an_epoch = eager / epochs
    return an_epoch + COMPILING_S + COMPILED_SHARE * an_epoch * (epochs - 1)
