"""What the sets of the MNIST family consist of: files, shapes and published sums. No I/O."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from tuitrain.errors import UsageError

DIGITS_IMAGES = 1_500  # training images of `digits`
DIGITS = tuple(str(digit) for digit in range(10))


@dataclass(frozen=True)
class FileSpec:
    """One IDX file of a set.

    `sha256` is of the unpacked file, where we know it for certain; `gz_md5` is of the .gz as it is
    published (the figure torchvision's dataset classes carry; a test holds them equal).
    """

    role: str  # train_images, train_labels, test_images, test_labels
    filename: str  # unpacked
    shape: tuple[int, ...]
    item_bytes: int = 1  # 1: unsigned bytes; 4: big-endian int32
    sha256: str | None = None
    gz_md5: str | None = None

    @property
    def magic(self) -> int:
        """The first four bytes of the file: element type and number of dimensions."""
        return (0x08 if self.item_bytes == 1 else 0x0C) << 8 | len(self.shape)

    @property
    def header_bytes(self) -> int:
        """Length of the header: magic and one 32-bit size a dimension."""
        return 4 + 4 * len(self.shape)

    @property
    def body_bytes(self) -> int:
        """Length of what follows the header."""
        count = self.item_bytes
        for size in self.shape:
            count *= size
        return count

    @property
    def file_bytes(self) -> int:
        """Length of the unpacked file."""
        return self.header_bytes + self.body_bytes

    @property
    def packed_limit_bytes(self) -> int:
        """The longest .gz of this file that can be honest: deflate stores what it can't shrink."""
        return self.file_bytes + self.file_bytes // 1000 + 4096


@dataclass(frozen=True)
class SetSpec:
    """One data set of the MNIST family.

    `folder` is the folder torchvision keeps it in (below it `raw/`), `torchvision_class` the class
    that knows where it is published. `transposed`: the files hold every image mirrored at its
    diagonal (EMNIST), and loading turns it upright.
    """

    name: str
    title: str
    folder: str
    torchvision_class: str
    files: tuple[FileSpec, ...]
    classes: tuple[str, ...] = DIGITS
    transposed: bool = False
    download: str = "about 12 MB"


def _four(
    md5s: tuple[str, str, str, str], sha256s: tuple[str | None, str | None, str | None, str | None]
) -> tuple[FileSpec, ...]:
    names = (
        ("train_images", "train-images-idx3-ubyte", (60_000, 28, 28)),
        ("train_labels", "train-labels-idx1-ubyte", (60_000,)),
        ("test_images", "t10k-images-idx3-ubyte", (10_000, 28, 28)),
        ("test_labels", "t10k-labels-idx1-ubyte", (10_000,)),
    )
    return tuple(
        FileSpec(role, filename, shape, sha256=sha256, gz_md5=md5)
        for (role, filename, shape), md5, sha256 in zip(names, md5s, sha256s, strict=True)
    )


UNKNOWN = (None, None, None, None)

SETS: dict[str, SetSpec] = {
    spec.name: spec
    for spec in (
        SetSpec(
            "mnist",
            "MNIST",
            "MNIST",
            "MNIST",
            _four(
                (
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                    "9fb629c4189551a2d022fa330f9573f3",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                ),
                (
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            ),
        ),
        SetSpec(
            "fashion-mnist",
            "Fashion-MNIST",
            "FashionMNIST",
            "FashionMNIST",
            _four(
                (
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                    "25c81989df183df01b3e8a0aad5dffbe",
                    "bef4ecab320f06d8554ea6380940ec79",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ),
                UNKNOWN,
            ),
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            download="about 31 MB",
        ),
        SetSpec(
            "kmnist",
            "Kuzushiji-MNIST",
            "KMNIST",
            "KMNIST",
            _four(
                (
                    "bdb82020997e1d708af4cf47b453dcf7",
                    "e144d726b3acfaa3e44228e80efcd344",
                    "5c965bf0a639b31b8f53240b1b52f4d7",
                    "7320c461ea6c1c855c0b718fb2a4b134",
                ),
                UNKNOWN,
            ),
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            download="about 21 MB",
        ),
        SetSpec(
            "qmnist",
            "QMNIST, its 60,000 test images",
            "QMNIST",
            "QMNIST",
            (
                FileSpec(
                    "train_images",
                    "qmnist-train-images-idx3-ubyte",
                    (60_000, 28, 28),
                    gz_md5="ed72d4157d28c017586c42bc6afe6370",
                ),
                FileSpec(
                    "train_labels",
                    "qmnist-train-labels-idx2-int",
                    (60_000, 8),
                    item_bytes=4,
                    gz_md5="0058f8dd561b90ffdd0f734c6a30e5e4",
                ),
                FileSpec(
                    "test_images",
                    "qmnist-test-images-idx3-ubyte",
                    (60_000, 28, 28),
                    gz_md5="1394631089c404de565df7b7aeaf9412",
                ),
                FileSpec(
                    "test_labels",
                    "qmnist-test-labels-idx2-int",
                    (60_000, 8),
                    item_bytes=4,
                    gz_md5="5b5b05890a5e13444e108efe57b788aa",
                ),
            ),
            download="about 20 MB",
        ),
        SetSpec(
            "emnist-digits",
            "EMNIST, split digits",
            "EMNIST",
            "EMNIST",
            (
                FileSpec("train_images", "emnist-digits-train-images-idx3-ubyte", (240_000, 28, 28)),
                FileSpec("train_labels", "emnist-digits-train-labels-idx1-ubyte", (240_000,)),
                FileSpec("test_images", "emnist-digits-test-images-idx3-ubyte", (40_000, 28, 28)),
                FileSpec("test_labels", "emnist-digits-test-labels-idx1-ubyte", (40_000,)),
            ),
            transposed=True,
            download="about 560 MB, of which 190 MB are kept",
        ),
    )
}

DATASETS = (*SETS, "digits")


def training_images(name: str) -> int:
    """How many training images a data set has."""
    return SETS[name].files[0].shape[0] if name in SETS else DIGITS_IMAGES


def class_names(name: str) -> tuple[str, ...]:
    """The names of a set's ten classes."""
    return SETS[name].classes if name in SETS else DIGITS


def check_name(name: str) -> str:
    """The name itself where it is one of `DATASETS`; else UsageError with a did-you-mean."""
    if name in DATASETS:
        return name
    close = difflib.get_close_matches(str(name), DATASETS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"use one of {', '.join(DATASETS)}."
    raise UsageError(f"--dataset: no data set {str(name)[:60]!r}; {hint}")
