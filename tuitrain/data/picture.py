"""A picture from a file as an image of the kind that networks were trained on, and what was done to it for that."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tuitrain.data.catalog import DIGITS, SETS, class_names
from tuitrain.errors import DataError, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

SIDE = 28
#: MNIST's digits were fitted into 20x20 pixels, and centred by their centre of mass (yann.lecun.com/exdb/mnist).
DIGIT_BOX = 20
#: Refused before anything is decoded.
MOST_SIDE, MOST_PIXELS = 16_000, 50_000_000
#: What decoders are let loose on a stranger's file; of Pillow's others, some call programs.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
ENOUGH = 400  # pixels a side, to which larger ones are reduced at once: less memory, and less noise
INK = 0.2  # of the brightest, from which on a pixel belongs to the digit
FAINT = 16  # grey levels between the darkest and the brightest, below which nothing is drawn


@dataclass(frozen=True)
class Picture:
    """A picture as a network gets it.

    Attributes:
        image: uint8 (28, 28), bright on a black background.
        done: what was done to it, in order, each in a few words.
    """

    image: NDArray[np.uint8]
    done: tuple[str, ...]


def read_picture(path: Path, dataset: str = "mnist") -> Picture:
    """Read a picture of any size, in grey or colour, bright on dark or dark on bright.

    Args:
        path: of the file.
        dataset: whose images it shall be like: digits of the MNIST family are fitted into 20x20 pixels and centred by
            their mass, others fill the image.

    Raises:
        DataError: it can't be read, is no picture, is too large, or shows nothing.
    """
    levels, done = _grey(path)
    border = _border(levels)
    if float(np.median(levels[border])) > 127:
        levels = 255 - levels
        done.append("inverted, as its background is bright")
    if levels.shape == (SIDE, SIDE):
        done.append("28×28 already, so not resized")
        return Picture(levels.round().astype(np.uint8), tuple(done))
    drawn = _without_background(levels, border)
    if drawn.max() < FAINT:
        raise DataError(f"{visible(path)} shows nothing: all its pixels are about as bright as its edge.")
    if float(np.median(levels[border])) >= FAINT:
        done.append("its background made black")
    return fitted(drawn, dataset, done)


def _border(levels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The pixels near the edge, where nothing is drawn as a rule."""
    edge = max(1, min(levels.shape) // 20)
    border = np.ones(levels.shape, np.bool_)
    border[edge:-edge, edge:-edge] = False
    return border


def _without_background(levels: NDArray[np.float32], border: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The picture less the light at its border, taken for a plane, and less the noise there."""
    y, x = np.nonzero(border)
    found = levels[border]
    planes = np.stack([np.ones(len(x)), x / levels.shape[1], y / levels.shape[0]], 1)
    kept = np.ones(len(found), np.bool_)
    for _ in range(3):  # what is drawn up to the edge is none of the background
        plane = np.linalg.lstsq(planes[kept], found[kept], rcond=None)[0]
        rest = found - planes @ plane
        spread = 1.4826 * float(np.median(np.abs(rest[kept])))
        kept = np.abs(rest) <= max(3 * spread, 1.0)
        if not kept.any():
            break
    across, down = np.arange(levels.shape[1]) / levels.shape[1], np.arange(levels.shape[0]) / levels.shape[0]
    light = plane[0] + plane[1] * across[None, :] + plane[2] * down[:, None]
    drawn: NDArray[np.float32] = np.clip(levels - light - 4 * spread, 0, None).astype(np.float32)
    return drawn


def fitted(levels: NDArray[np.float32], dataset: str, done: Sequence[str] = ()) -> Picture:
    """What is drawn, in the middle of an image, as the images of a set are.

    Args:
        levels: grey levels (H, W) from 0 to 255, bright on black, not all of them black.
        dataset: see `read_picture`.
        done: what was done to it before.
    """
    from PIL import Image

    is_digit, done = dataset in SETS and class_names(dataset) == DIGITS, list(done)
    ink = levels > INK * levels.max()
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    drawn = levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = drawn.shape
    if drawn.shape != levels.shape:
        done.append(f"cropped to what is drawn, {width}×{height}")
    box = DIGIT_BOX if is_digit else SIDE
    times = box / max(height, width)
    size = max(1, round(width * times)), max(1, round(height * times))
    if size != (width, height):
        resized = Image.fromarray(drawn.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
        drawn = np.asarray(resized)
        done.append(f"resized to {size[0]}×{size[1]}")
    drawn = np.clip(drawn * (255 / drawn.max()), 0, 255)
    image = np.zeros((SIDE, SIDE), np.uint8)
    top, left = ((SIDE - size[1]) // 2, (SIDE - size[0]) // 2)
    if is_digit:
        top, left = (_centred(drawn.sum(axis)) for axis in (1, 0))
        done.append("centred by its centre of mass, as MNIST's digits are")
    else:
        done.append("centred")
    image[top : top + size[1], left : left + size[0]] = drawn.round()
    return Picture(image, tuple(done))


def _centred(mass: NDArray[np.float32]) -> int:
    """Where something begins so that its centre of mass comes to lie in the middle of the image, but all of it inside."""
    centre = float((mass * (np.arange(len(mass)) + 0.5)).sum() / mass.sum())
    return min(max(round(SIDE / 2 - centre), 0), SIDE - len(mass))


def _grey(path: Path) -> tuple[NDArray[np.float32], list[str]]:
    """Grey levels from 0 to 255, and what was done so far."""
    where = visible(path)
    if not path.exists():
        raise DataError(f"{where} does not exist; name a picture, such as a PNG or JPEG file.")
    if not path.is_file():
        raise DataError(f"{where} is no file; name a picture, such as a PNG or JPEG file.")
    from PIL import Image, UnidentifiedImageError

    too_large = f"{MOST_SIDE:,} pixels a side and {MOST_PIXELS // 1_000_000} million in all can be read; make it smaller first."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limits here are our own
        try:
            with Image.open(path, formats=FORMATS) as opened:
                width, height = opened.size
                if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
                    raise DataError(f"{where} has {width:,}×{height:,} pixels; at most {too_large}")
                return _levels(opened)
        except Image.DecompressionBombError:
            raise DataError(f"{where} has too many pixels; at most {too_large}") from None
        except UnidentifiedImageError:
            raise DataError(f"{where} is no picture that can be read; use {', '.join(FORMATS)}.") from None
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            reason = visible(getattr(error, "strerror", None) or error)
            raise DataError(f"{where} can't be read as a picture: {reason}; check the file.") from None


def _levels(opened: Image) -> tuple[NDArray[np.float32], list[str]]:
    from PIL import ImageOps

    done: list[str] = []
    image: Any = ImageOps.exif_transpose(opened)
    if opened.getexif().get(0x0112, 1) != 1:
        done.append("turned upright, as the camera noted")
    if image.mode.startswith(("I", "F")):  # 16 bits or more, which Pillow would cut off in place of scaling
        values = np.asarray(image, np.float32)
        scale = 65535.0 if image.mode.startswith("I") else max(float(np.nanmax(values)), 1e-9)
        if (times := max(values.shape) // ENOUGH) > 1:
            height, width = (side // times for side in values.shape)
            blocks = values[: height * times, : width * times].reshape(height, times, width, times)
            values = blocks.mean((1, 3))
            done.append(f"reduced to {width:,}×{height:,}")
        return np.clip(np.nan_to_num(values) * (255 / scale), 0, 255).astype(np.float32), done
    if image.mode not in ("1", "L", "RGB") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "1":
        image = image.convert("L")
    if (times := max(image.size) // ENOUGH) > 1:
        image = image.reduce(times)
        done.append(f"reduced to {image.width:,}×{image.height:,}")
    colours = np.asarray(image.convert("RGB"), np.float32)
    grey: Any = colours @ np.array([0.299, 0.587, 0.114], np.float32)
    if np.ptp(colours, axis=2).max() > 0:
        done.append("made grey")
    if image.mode == "RGBA":
        opaque = np.asarray(image, np.float32)[..., 3] / 255
        if opaque.min() < 1:
            # What is drawn is opaque; behind it comes what it can be seen on.
            dark = float((grey * opaque).sum()) < 127 * float(opaque.sum())
            grey = grey * opaque + (255 if dark else 0) * (1 - opaque)
            done.append(f"its transparent parts made {'white' if dark else 'black'}")
    return grey.astype(np.float32), done
