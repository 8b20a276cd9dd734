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

#: A captured step on a data-centre card, as projected and not yet measured: four short kernels for each row of the
#: table, 3 µs each, and eight passes over the maps in fp32 at 3 TB/s. Compiling takes some 40 s with one core.
KERNELS_A_ROW, KERNEL_US = 4, 3.0
CAPTURED_NS = 8 * 4 / 3000
CAPTURED_PAYS_FROM_S = 180.0


def captured_s(table: NetworkTable, images: int, batch: int, epochs: int) -> float:
    """Seconds of a training on CUDA by captured steps that are not compiled; arguments as of `eager_s`."""
    steps = -(-images // max(1, batch))
    launches = 1e-6 * KERNEL_US * KERNELS_A_ROW * len(table.rows) * steps
    return (launches + 1e-9 * CAPTURED_NS * _outputs(table) * images) * epochs


def _outputs(table: NetworkTable) -> int:
    return sum(prod(row.output_shape) for row in table.rows)


def eager_s(table: NetworkTable, images: int, epochs: int) -> float:
    """Seconds of a training on the CPU that is not compiled.

    Args:
        table: of the network.
        images: training images an epoch.
        epochs: of the run.
    """
    return 1e-9 * EAGER_NS * _outputs(table) * images * epochs


def cpu_s(table: NetworkTable, images: int, epochs: int) -> float:
    """Seconds of a training on the CPU that is compiled after its first epoch if that is worth it."""
    eager = eager_s(table, images, epochs)
    if eager < PAYS_FROM_S or epochs < 2:
        return eager
    an_epoch = eager / epochs
    return an_epoch + COMPILING_S + COMPILED_SHARE * an_epoch * (epochs - 1)
