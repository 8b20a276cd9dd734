"""Batched augmentation and normalisation of uint8 images, on whatever device they lie.

Rotation is what `torchvision.transforms.RandomRotation(degrees, interpolation=NEAREST, fill=1)` does
to PIL images, pixel for pixel: nearest neighbour in Pillow's 16.16 fixed point. (torchvision's own
tensor path differs from its PIL path in 1 % of images.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuitrain.spec.train import AugmentP, Train

SIDE = 28
FILL = 1  # what the published systems fill with: grey level 1 of 255
FIXED = 1 << 16
# On the CPU, so many images a thread at a time: few enough for the caches, enough that calling torch costs little.
CPU_CHUNK = 128
# What a rotation sees outside the image, in pixels: its half diagonal less half its side.
REACH = math.ceil(SIDE / 2 * (math.sqrt(2) - 1))
GPU_CHUNK = 16_384  # bounds the coordinates to 260 MB

# torchvision.transforms.RandomErasing's defaults
ERASE_AREA = (0.02, 0.33)
ERASE_RATIO = (0.3, 3.3)


def rotate(images: Tensor, degrees: Tensor, fill: int = FILL, out: Tensor | None = None) -> Tensor:
    """Rotate each image counter-clockwise about its centre by its own angle.

    Args:
        images: (N, 28, 28) uint8.
        degrees: (N,) floating point, on any device.
        fill: grey level for what comes from outside the image.
        out: (N, 28, 28) uint8, contiguous, to write to; may be the images themselves. New memory costs a fifth more.

    Returns:
        (N, 28, 28) uint8, `out` or new memory.
    """
    # in double precision and reduced to [0, 360) first, as Pillow does
    angle = -torch.deg2rad(torch.remainder(degrees.to(torch.float64), 360.0))
    cos, sin = angle.cos(), angle.sin()
    half = SIDE / 2
    x0 = half - half * (cos + sin)
    y0 = half - half * (cos - sin)
    return _sample(images, (cos, sin, x0, -sin, cos, y0), fill, out, reach=REACH)


def affine(
    images: Tensor, degrees: Tensor, shift: Tensor, zoom: Tensor, shear: Tensor, fill: int = FILL,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Rotate, shear, zoom about the centre, then shift, all in one nearest-neighbour look-up.

    torchvision's `functional.affine` on PIL images, with its angle (which is clockwise) negated; pixel
    for pixel, but for a zoom alone, which Pillow steps in floating point (under 0.1 % of pixels).

    Args:
        images: (N, 28, 28) uint8.
        degrees: (N,) counter-clockwise.
        shift: (N, 2) in pixels, right and down.
        zoom: (N,) factor; above 1 enlarges.
        shear: (N,) in degrees, along x.
        fill: grey level for what comes from outside the image.
        out: see `rotate`.
    """
    turn = -torch.deg2rad(degrees.to(torch.float64))
    tan = torch.deg2rad(shear.to(torch.float64)).tan()
    scale = zoom.to(torch.float64)
    cos, sin = turn.cos(), turn.sin()
    # inverse of R(turn) Shear(x) Scale, source x = a x + b y + c, source y = d x + e y + f
    a = (cos - sin * tan) / scale
    b = (cos * tan + sin) / scale
    d = -sin / scale
    e = cos / scale
    half = SIDE / 2
    right = half + shift[:, 0].to(torch.float64)
    down = half + shift[:, 1].to(torch.float64)
    return _sample(images, (a, b, half - a * right - b * down, d, e, half - d * right - e * down), fill, out)


def _parts(images: Tensor) -> list[slice]:
    count = len(images)
    chunk = CPU_CHUNK * torch.get_num_threads() if images.device.type == "cpu" else GPU_CHUNK
    return [slice(start, min(start + chunk, count)) for start in range(0, count, chunk)]


def _fixed(value: Tensor) -> Tensor:
    return torch.floor(value * FIXED + 0.5)


def _sample(
    images: Tensor, matrix: tuple[Tensor, ...], fill: int, out: Tensor | None, reach: int | None = None
) -> Tensor:
    """Output pixel (x, y) is source pixel (a x + b y + c, d x + e y + f), taken at pixel centres.

    Args:
        images: (N, 28, 28) uint8.
        matrix: a to f, each (N,).
        fill: grey level for what comes from outside the image.
        out: where to, or None for new memory.
        reach: how many pixels outside the image the matrices can lead; None where there is no such limit.
    """
    device = images.device
    # The chunk lies in a frame of fill pixels: cheaper than a mask for what is outside. Coordinates that could lead
    # beyond it are clamped to it.
    frame = reach or 1
    side = SIDE + 2 * frame
    # All coordinates come from one matrix product, which is exact in the fixed point's 65536ths: a rotation's are
    # below 2^24 of them, what a 32-bit float holds; elsewhere, and where tf32 may round the factors, 64 bits do, but
    # for Apple's GPUs, which don't know them.
    wide = (reach is None or device.type == "cuda") and device.type != "mps"
    exact = torch.float64 if wide else torch.float32
    a, b, c, d, e, f = matrix
    x0, y0 = _fixed(c + (a + b) / 2) + frame * FIXED, _fixed(f + (d + e) / 2) + frame * FIXED
    rows = torch.stack((_fixed(a), _fixed(b), x0, _fixed(d), _fixed(e), y0), 1).view(-1, 2, 3).transpose(0, 1)
    rows = (rows / FIXED).to(exact).to(device)
    steps = torch.arange(SIDE, dtype=exact, device=device)
    grid = torch.stack(
        (steps.repeat(SIDE), steps.repeat_interleave(SIDE), torch.ones_like(steps).repeat(SIDE))
    )
    parts = _parts(images)
    chunk = parts[0].stop if parts else 0
    framed = torch.full((chunk, side, side), fill, dtype=torch.uint8, device=device)
    begins = torch.arange(chunk, dtype=exact, device=device)[:, None] * (side * side)
    found = torch.empty((2, chunk, SIDE * SIDE), dtype=exact, device=device)
    index = torch.empty((chunk, SIDE * SIDE), dtype=torch.int32, device=device)
    if out is None:
        out = torch.empty_like(images, memory_format=torch.contiguous_format)
    for part in parts:
        n = part.stop - part.start
        framed[:n, frame:-frame, frame:-frame] = images[part]
        by_product = device.type != "cuda"
        x, y = (
            _coordinates(row[part], grid, into[:n], by_product) for row, into in zip(rows, found, strict=True)
        )
        found.floor_()
        if reach is None:
            found.clamp_(0, side - 1)
        index[:n] = x.add_(y, alpha=side).add_(begins[:n])
        torch.index_select(framed.view(-1), 0, index[:n].view(-1), out=out[part].view(-1))
    return out


def _coordinates(row: Tensor, grid: Tensor, out: Tensor, by_product: bool) -> Tensor:
    """`row @ grid` (n, 3) x (3, 784), whose last row is ones; exact both ways.

    Elementwise where a matrix product would make cuBLAS keep a workspace of 32 MiB for each stream.
    """
    if by_product:
        return torch.matmul(row, grid, out=out)
    torch.addcmul(row[:, 2:], row[:, :1], grid[0], out=out)
    return out.addcmul_(row[:, 1:2], grid[1])


def erase(images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Blacken one box an image (rows top to top + height, likewise columns); height 0 erases nothing.

    Args:
        images: (N, 28, 28) uint8; left as they are.
        top: (N,) integers, as left, height and width.
        left: see top.
        height: see top.
        width: see top.
    """
    steps = torch.arange(SIDE, device=images.device)
    rows = (steps >= top[:, None]) & (steps < (top + height)[:, None])
    columns = (steps >= left[:, None]) & (steps < (left + width)[:, None])
    out = torch.empty_like(images, memory_format=torch.contiguous_format)
    for part in _parts(images):
        out[part] = images[part].masked_fill(rows[part, :, None] & columns[part, None, :], 0)
    return out


def jitter(images: Tensor, brightness: Tensor, contrast: Tensor, brightness_first: Tensor) -> Tensor:
    """Change each image's brightness and contrast by its own factors; 1 changes nothing.

    torchvision's `functional.adjust_brightness` and `adjust_contrast` on PIL images, pixel for pixel: a mixture
    with black, and one with the image's rounded mean, in 32 bits, its fraction cut off.

    Args:
        images: (N, 28, 28) uint8; left as they are.
        brightness: (N,) factors, 0 or more.
        contrast: see brightness.
        brightness_first: (N,) bool, which of the two is done first.
    """
    before = torch.where(brightness_first, brightness, 1.0).float()
    after = torch.where(brightness_first, 1.0, brightness).float()
    contrast = contrast.float()
    out = torch.empty_like(images, memory_format=torch.contiguous_format)
    for part in _parts(images):
        pixels = (images[part].float() * before[part, None, None]).clamp_(0, 255).floor_()
        mean = ((pixels.sum((1, 2), keepdim=True) / SIDE**2) + 0.5).floor_()
        pixels = ((pixels - mean) * contrast[part, None, None] + mean).clamp_(0, 255).floor_()
        out[part] = (pixels * after[part, None, None]).clamp_(0, 255).floor_()
    return out


def crop(images: Tensor, size: int, chosen: Tensor) -> Tensor:
    """Enlarge the middle `size` pixels a side of the chosen images to the whole side.

    torchvision's CenterCrop and Resize((28, 28)) on PIL images, pixel for pixel: Pillow's bilinear filter in its
    22-bit fixed point, first along the rows, then along the columns.

    Args:
        images: (N, 28, 28) uint8; left as they are.
        size: 1 to 28.
        chosen: (N,) bool.
    """
    if (
        images.device.type == "cpu"
    ):  # where looking at the choice costs nothing, only the chosen ones are worked on
        picked = chosen.nonzero()[:, 0]
        return images.index_copy(0, picked, _enlarge(images.index_select(0, picked), size))
    return torch.where(chosen[:, None, None], _enlarge(images, size), images)


def _enlarge(images: Tensor, size: int) -> Tensor:
    # Exact in 64 bits; Apple's GPUs, which don't know them, are a grey level off here and there.
    kind = torch.float32 if images.device.type == "mps" else torch.float64
    weights = _enlarging(size).to(images.device, kind)
    out = torch.empty_like(images, memory_format=torch.contiguous_format)
    for part in _parts(images):
        pixels = images[part].to(kind)
        for _ in range(2):  # the rows' pixels, then, turned, the columns'
            pixels = torch.floor(pixels @ weights + 0.5).clamp_(0, 255).transpose(1, 2)
        out[part] = pixels.to(torch.uint8)
    return out


def _enlarging(size: int) -> Tensor:
    """Weights (28 pixels before, 28 after) of Pillow's bilinear filter from the middle `size` pixels to all."""
    scale = size / SIDE
    left = round((SIDE - size) / 2)
    weights = torch.zeros(SIDE, SIDE, dtype=torch.float64)
    for after in range(SIDE):
        centre = (after + 0.5) * scale
        # Enlarging, the filter reaches one pixel either way.
        near = range(max(0, int(centre - 0.5)), min(size, int(centre + 1.5)))
        parts = [max(0.0, 1 - abs(at + 0.5 - centre)) for at in near]
        for at, part in zip(near, parts, strict=True):
            weights[left + at, after] = math.floor(part / sum(parts) * (1 << 22) + 0.5) / (1 << 22)
    return weights


@dataclass(frozen=True)
class Augment:
    """What is done to training images, each setting the limit of a uniform draw an image; 0 is off.

    `crop` pixels a side of the middle are enlarged, `brightness` and `contrast` are fractions either way (0.1:
    factor 0.9 to 1.1), `rotation` degrees either way or a range, `shift` whole pixels either way in x and in y,
    `zoom` fraction either way, `shear` degrees along x either way, `erase` the probability that a box is
    blackened (area and sides as torchvision's RandomErasing draws them). They are done in this order. `fill` is
    the grey level for what rotation, shift, zoom and shear bring in from outside, and `p` the probability with
    which each of the others is done.
    """

    rotation: float | tuple[float, float] = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    erase: float = 0.0
    crop: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    fill: int = FILL
    p: AugmentP = field(default_factory=AugmentP)

    @classmethod
    def of(cls, train: Train) -> Augment:
        """What the settings of a training say."""
        return cls(
            rotation=train.rotation, shift=train.shift, zoom=train.zoom, shear=train.shear, erase=train.erase,
            crop=train.crop, brightness=train.brightness, contrast=train.contrast, fill=train.fill,
            p=train.augment_p,
        )  # fmt: skip

    @property
    def rotates_only(self) -> bool:
        """The angle is all that is drawn for an image."""
        others = self._moves or self.erase or self.crop or self._jitters
        return self._rotates and not others and self.p.rotation == 1

    @property
    def _moves(self) -> bool:
        return bool(self.shift or self.zoom or self.shear)

    @property
    def _jitters(self) -> bool:
        return bool(self.brightness or self.contrast)

    @property
    def is_identity(self) -> bool:
        """Nothing is on."""
        return not (self._rotates or self._moves or self.erase or self.crop or self._jitters)

    @property
    def _rotates(self) -> bool:
        return self.rotation not in (0.0, (0.0, 0.0))

    def apply(self, images: Tensor, generator: torch.Generator, *, overwrite: bool = False) -> Tensor:
        """Augment (N, 28, 28) uint8 images with draws from the generator, which may be on another device.

        All draws of a kind are one batch, in the order of the work, and only what is on is drawn: of a CPU
        generator the angles are the very ones that RandomRotation would draw image by image.
        Returns the images themselves when nothing is on; with `overwrite` the result may lie in their memory.
        """
        count = len(images)
        if self.is_identity or count == 0:
            return images
        if self.crop:
            images = crop(images, self.crop, self._chosen(self.p.crop, images, generator))
        if self._jitters:
            images = self._jitter(images, generator)
        if self._rotates or self._moves:
            degrees = self.draw_degrees(images, generator)
            if not self._moves:
                images = rotate(images, degrees, self.fill, out=images if overwrite else None)
            else:
                # whole pixels, as torchvision's RandomAffine shifts
                shift = self._draw((count, 2), self.shift, self.p.shift, images, generator).round()
                zoom = (1.0 + self._draw((count,), self.zoom, self.p.zoom, images, generator)).clamp_min(0.01)
                shear = self._draw((count,), self.shear, self.p.shear, images, generator)
                images = affine(
                    images, degrees, shift, zoom, shear, self.fill, out=images if overwrite else None
                )
        if self.erase:
            images = self._erase(images, generator)
        return images

    def draw_degrees(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """An angle (N,) for each image."""
        return self._draw((len(images),), self.rotation, self.p.rotation, images, generator)

    @staticmethod
    def _draw(
        shape: tuple[int, ...], limit: float | tuple[float, float], p: float, images: Tensor,
        generator: torch.Generator,
    ) -> Tensor:  # fmt: skip
        """Uniform draws within a limit either way or a range, 0 for the images that are not chosen."""
        low, high = limit if isinstance(limit, tuple) else (-limit, limit)
        drawn = torch.zeros(shape, device=generator.device)
        if low or high:
            drawn.uniform_(low, high, generator=generator)
            if p < 1:
                chosen = torch.rand(shape[0], device=generator.device, generator=generator) < p
                drawn *= chosen.view(-1, *[1] * (len(shape) - 1))
        # Matrices are worked out in 64 bits, which Apple's GPUs don't know.
        return drawn if images.device.type == "mps" else drawn.to(images.device)

    @staticmethod
    def _chosen(p: float, images: Tensor, generator: torch.Generator) -> Tensor:
        """Which images are chosen, (N,)."""
        return (torch.rand(len(images), device=generator.device, generator=generator) < p).to(images.device)

    def _jitter(self, images: Tensor, generator: torch.Generator) -> Tensor:
        device = generator.device
        factors = torch.empty(2, len(images), device=device).uniform_(-1.0, 1.0, generator=generator)
        factors = 1.0 + factors * torch.tensor([[self.brightness], [self.contrast]], device=device)
        order, chosen = torch.rand(2, len(images), device=device, generator=generator)
        factors = torch.where(chosen < self.p.jitter, factors, 1.0).to(images.device)
        return jitter(images, factors[0], factors[1], (order < 0.5).to(images.device))

    def _erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)
        draws = torch.empty((5, count), device=generator.device).uniform_(0.0, 1.0, generator=generator)
        chosen, area, ratio, top, left = draws.to(images.device)
        area = (ERASE_AREA[0] + (ERASE_AREA[1] - ERASE_AREA[0]) * area) * (SIDE * SIDE)
        low, high = math.log(ERASE_RATIO[0]), math.log(ERASE_RATIO[1])
        ratio = torch.exp(low + (high - low) * ratio)
        # torchvision draws again when a side reaches 28; here it is cut to 27, so no image waits
        height = (area * ratio).sqrt().round().clamp(1, SIDE - 1)
        width = (area / ratio).sqrt().round().clamp(1, SIDE - 1)
        top = (top * (SIDE - height + 1)).floor().minimum(SIDE - height)
        left = (left * (SIDE - width + 1)).floor().minimum(SIDE - width)
        height = torch.where(chosen < self.erase, height, 0)
        return erase(images, top.int(), left.int(), height.int(), width.int())


def normalize(images: Tensor, mean: float, std: float) -> Tensor:
    """Grey levels to the network's input, (N, 28, 28) uint8 to (N, 1, 28, 28) float32.

    The operations of torchvision's ToTensor and Normalize in their order, so equal to them bit for
    bit on the CPU; on a GPU, which multiplies by reciprocals, within two units in the last place.
    """
    return images.unsqueeze(1).to(torch.float32).div_(255).sub_(mean).div_(std)
