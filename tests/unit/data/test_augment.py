"""Batched augmentation against torchvision on PIL images, pixel for pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as tvf

from tuitrain.data.augment import Augment, _coordinates, affine, crop, erase, jitter, normalize, rotate
from tuitrain.data.load import load_dataset
from tuitrain.spec.train import AugmentP


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return torch.from_numpy(load_dataset("digits").train.images)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    """Every pixel its own value: a single wrong source pixel shows."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)


def pil(image: torch.Tensor) -> Image.Image:
    return Image.fromarray(image.numpy(), mode=None)


def back(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image))


def by_torchvision(images: torch.Tensor, degrees: torch.Tensor, fill: int = 1) -> torch.Tensor:
    return torch.stack(
        [
            back(tvf.rotate(pil(image), float(angle), InterpolationMode.NEAREST, fill=[fill]))
            for image, angle in zip(images, degrees, strict=True)
        ]
    )


@pytest.mark.parametrize("limit", [1e-6, 0.01, 1.0, 5.0, 7.0, 15.0, 45.0, 90.0, 180.0, 720.0])
def test_rotation_is_torchvisions_on_thousands_of_images(limit: float) -> None:
    images = noise(1000, seed=int(limit))
    degrees = torch.empty(1000).uniform_(-limit, limit, generator=torch.Generator().manual_seed(1))
    assert torch.equal(rotate(images, degrees), by_torchvision(images, degrees))


def test_rotation_of_real_digits_is_torchvisions(digits: torch.Tensor) -> None:
    degrees = torch.empty(len(digits)).uniform_(-7, 7, generator=torch.Generator().manual_seed(2))
    turned = rotate(digits, degrees)
    assert torch.equal(turned, by_torchvision(digits, degrees))
    assert not torch.equal(turned, digits)


def test_angles_that_pillow_treats_specially() -> None:
    special = [
        0,
        -0.0,
        90,
        -90,
        180,
        -180,
        270,
        360,
        450,
        540,
        -720,
        30,
        45,
        60,
        120,
        135,
        1e-30,
        1e-10,
        89.99999,
        1e6,
    ]
    for bump in (0.0, 1e-5, -1e-5):
        degrees = torch.tensor(special, dtype=torch.float32) + bump
        images = noise(len(special), seed=3)
        assert torch.equal(rotate(images, degrees), by_torchvision(images, degrees))


def test_quarter_turns_are_counter_clockwise_and_lossless() -> None:
    images = noise(4)
    turned = rotate(images, torch.tensor([0.0, 90.0, 180.0, 270.0]))
    for quarter in range(4):
        assert torch.equal(turned[quarter], torch.rot90(images[quarter], quarter))


def test_fill_and_chunks() -> None:
    images = noise(1100)  # many whole chunks and a rest
    degrees = torch.empty(1100).uniform_(-45, 45, generator=torch.Generator().manual_seed(4))
    for fill in (0, 1, 255):
        whole = rotate(images, degrees, fill)
        assert torch.equal(whole[::50], by_torchvision(images[::50], degrees[::50], fill))
        assert torch.equal(whole[700:703], rotate(images[700:703], degrees[700:703], fill))
    assert rotate(images[:0], degrees[:0]).shape == (0, 28, 28)


def test_one_batched_draw_gives_randomrotations_own_stream(digits: torch.Tensor) -> None:
    images = digits[:200]
    transform = transforms.RandomRotation(7.0, interpolation=InterpolationMode.NEAREST, fill=(1,))
    torch.manual_seed(5)
    theirs = torch.stack([back(transform(pil(image))) for image in images])
    ours = Augment(rotation=7.0).apply(images, torch.Generator().manual_seed(5))
    assert torch.equal(ours, theirs)


def test_all_off_is_the_identity_and_draws_nothing(digits: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(6)
    before = generator.get_state()
    assert Augment().is_identity
    assert Augment().apply(digits, generator) is digits
    assert torch.equal(generator.get_state(), before)


def by_torchvision_affine(
    images: torch.Tensor, degrees: torch.Tensor, shift: torch.Tensor, zoom: torch.Tensor, shear: torch.Tensor
) -> torch.Tensor:
    return torch.stack(
        [
            back(
                tvf.affine(
                    pil(images[i]),
                    -float(degrees[i]),
                    [int(value) for value in shift[i]],
                    float(zoom[i]),
                    [float(shear[i]), 0.0],
                    InterpolationMode.NEAREST,
                    fill=[1],
                )
            )
            for i in range(len(images))
        ]
    )


@pytest.mark.parametrize("rotation", [0.0, 7.0, 180.0])
@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("shear", [0.0, 20.0])
@pytest.mark.parametrize("zoom", [0.0, 0.2])
def test_composed_affine_is_torchvisions(rotation: float, shift: int, shear: float, zoom: float) -> None:
    count = 200
    generator = torch.Generator().manual_seed(7)
    images = noise(count)
    unit = torch.empty(5, count, dtype=torch.float64).uniform_(-1, 1, generator=generator)
    moves = (
        unit[0] * rotation,
        (unit[1:3].T * shift).round(),
        1 + unit[3] * zoom,
        unit[4] * shear,
    )
    same = (affine(images, *moves) == by_torchvision_affine(images, *moves)).double().mean().item()
    if zoom and not rotation and not shear:
        assert same > 0.999  # Pillow steps a pure scaling in floating point
    else:
        assert same == 1.0


def test_shift_zoom_shear_stay_within_their_limits_and_move_something(digits: torch.Tensor) -> None:
    for augment in (
        Augment(shift=2),
        Augment(zoom=0.2),
        Augment(shear=15),
        Augment(rotation=5, shift=1, zoom=0.1),
    ):
        moved = augment.apply(digits, torch.Generator().manual_seed(8))
        assert moved.shape == digits.shape
        assert moved.dtype == torch.uint8
        assert not torch.equal(moved, digits)
    dots = torch.zeros(500, 28, 28, dtype=torch.uint8)
    dots[:, 14, 14] = 200
    shifted = Augment(shift=2).apply(dots, torch.Generator().manual_seed(9))
    places = (shifted == 200).nonzero()[:, 1:] - 14
    assert len(places) == 500
    assert {tuple(place) for place in places.tolist()} == {(y, x) for y in range(-2, 3) for x in range(-2, 3)}


def test_erasing_blackens_one_box_with_the_given_probability() -> None:
    images = torch.full((4000, 28, 28), 9, dtype=torch.uint8)
    erased = Augment(erase=0.25).apply(images, torch.Generator().manual_seed(10))
    assert torch.equal(images, torch.full_like(images, 9))
    black = (erased == 0).flatten(1).sum(1)
    touched = (black > 0).sum().item() / 4000
    assert 0.22 < touched < 0.28
    for image, area in zip(erased[black > 0], black[black > 0], strict=True):
        rows, columns = (image == 0).any(1).sum(), (image == 0).any(0).sum()
        assert rows * columns == area  # a box
        assert 0.01 * 784 < area <= 0.36 * 784
    edges = erased[black > 0] == 0
    assert edges[:, 0].any() and edges[:, -1].any() and edges[:, :, 0].any() and edges[:, :, -1].any()


def test_erase_takes_the_box_it_is_given() -> None:
    images = torch.full((2, 28, 28), 9, dtype=torch.uint8)
    whole = torch.tensor
    out = erase(images, whole([3, 0]), whole([5, 0]), whole([2, 0]), whole([4, 28]))
    assert (out[0] == 0).sum() == 8
    assert (out[0, 3:5, 5:9] == 0).all()
    assert torch.equal(out[1], images[1])


def test_same_generator_same_images_other_seed_others(digits: torch.Tensor) -> None:
    augment = Augment(rotation=7, shift=2, zoom=0.1, shear=5, erase=0.5)
    first = augment.apply(digits, torch.Generator().manual_seed(1))
    assert torch.equal(first, augment.apply(digits, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, augment.apply(digits, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize(("mean", "std"), [(0.1307, 0.3081), (0.5, 0.5), (0.0, 1.0)])
def test_normalize_is_totensor_and_normalize_bit_for_bit(
    mean: float, std: float, digits: torch.Tensor
) -> None:
    images = torch.cat([digits[:50], torch.arange(784).remainder(256).to(torch.uint8).view(1, 28, 28)])
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mean,), (std,))])
    theirs = torch.stack([transform(pil(image)) for image in images])
    ours = normalize(images, mean, std)
    assert ours.dtype == torch.float32
    assert ours.shape == (51, 1, 28, 28)
    assert torch.equal(ours, theirs)


@pytest.mark.gpu
def test_gpu_gives_the_same_pixels() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images = noise(60_000)
    degrees = torch.empty(60_000).uniform_(-180, 180)
    assert torch.equal(rotate(images.cuda(), degrees.cuda()).cpu(), rotate(images, degrees))
    assert torch.allclose(
        normalize(images.cuda(), 0.1307, 0.3081).cpu(), normalize(images, 0.1307, 0.3081), atol=1e-6
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "settings",
    [
        {"rotation": 30.0},
        {"rotation": 9.0, "shift": 3.0, "zoom": 0.2},
        {"erase": 0.5},
        {},
        {"crop": 22, "contrast": 0.2},
    ],
)
def test_overwritten_images_are_the_same_ones(settings: dict[str, float], threads: int) -> None:
    images = torch.randint(
        0, 256, (700, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    before, old = images.clone(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        wanted = Augment(**settings).apply(images, torch.Generator().manual_seed(4))
        assert torch.equal(images, before)
        found = Augment(**settings).apply(images, torch.Generator().manual_seed(4), overwrite=True)
    finally:
        torch.set_num_threads(old)
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("size", [1, 2, 5, 13, 22, 27, 28])
def test_crop_is_torchvisions_centre_crop_and_resize(size: int, digits: torch.Tensor) -> None:
    images = torch.cat([noise(200, seed=size), digits[:100]])
    chosen = torch.rand(300, generator=torch.Generator().manual_seed(1)) < 0.6
    transform = transforms.Compose([transforms.CenterCrop(size), transforms.Resize((28, 28))])
    theirs = torch.stack([back(transform(pil(image))) for image in images])
    ours = crop(images, size, chosen)
    assert torch.equal(ours[chosen], theirs[chosen])
    assert torch.equal(ours[~chosen], images[~chosen])


@pytest.mark.parametrize("brightness_first", [True, False])
def test_jitter_is_torchvisions(brightness_first: bool, digits: torch.Tensor) -> None:
    images = torch.cat([noise(300), digits[:300]])
    generator = torch.Generator().manual_seed(2)
    factors = torch.empty(2, 600).uniform_(0, 2, generator=generator)
    factors[:, ::7] = 1.0
    factors[:, ::11] = 0.0

    def theirs(image: torch.Tensor, brightness: float, contrast: float) -> torch.Tensor:
        steps = [(tvf.adjust_brightness, brightness), (tvf.adjust_contrast, contrast)]
        picture = pil(image)
        for step, factor in steps if brightness_first else reversed(steps):
            picture = step(picture, factor)
        return back(picture)

    wanted = torch.stack([theirs(i, *f) for i, f in zip(images, factors.T.tolist(), strict=True)])
    ours = jitter(images, factors[0], factors[1], torch.full((600,), brightness_first))
    assert torch.equal(ours, wanted)


@pytest.mark.parametrize(
    ("augment", "transform"),
    [
        (
            Augment(crop=22, p=AugmentP(crop=0.1)),
            transforms.Compose(
                [transforms.RandomApply([transforms.CenterCrop(22)], p=0.1), transforms.Resize((28, 28))]
            ),
        ),
        (
            Augment(rotation=(-7.0, 3.0), fill=200, p=AugmentP(rotation=0.3)),
            transforms.RandomApply([transforms.RandomRotation((-7.0, 3.0), fill=200)], p=0.3),
        ),
        (Augment(brightness=0.4, contrast=0.3), transforms.ColorJitter(brightness=0.4, contrast=0.3)),
        (
            Augment(brightness=0.4, p=AugmentP(jitter=0.25)),
            transforms.RandomApply([transforms.ColorJitter(brightness=0.4)], p=0.25),
        ),
        (
            Augment(shift=2, p=AugmentP(shift=0.5)),
            transforms.RandomApply([transforms.RandomAffine(0, translate=(2 / 28, 2 / 28), fill=1)], p=0.5),
        ),
        (
            Augment(shear=20.0, p=AugmentP(shear=0.5)),
            transforms.RandomApply([transforms.RandomAffine(0, shear=20, fill=1)], p=0.5),
        ),
    ],
    ids=["crop", "rotation", "jitter", "brightness", "shift", "shear"],
)
def test_images_are_drawn_as_torchvision_draws_them(
    augment: Augment, transform: transforms.Compose, digits: torch.Tensor
) -> None:
    """How many images are left alone, and the mean of each image and of each pixel, agree within the noise."""
    count = 2000
    images = digits[:1].expand(count, 28, 28).contiguous()
    torch.manual_seed(3)
    theirs = torch.stack([back(transform(pil(images[0]))) for _ in range(count)])
    ours = augment.apply(images, torch.Generator().manual_seed(4))

    def alone(out: torch.Tensor) -> float:
        return (out == images).flatten(1).all(1).double().mean().item()

    share = alone(theirs)
    assert abs(alone(ours) - share) < 5 * (2 * max(share * (1 - share), 1 / count) / count) ** 0.5
    for a, b in (
        (ours.double().mean((1, 2)), theirs.double().mean((1, 2))),  # of each image
        (ours.double().flatten(1), theirs.double().flatten(1)),  # of each pixel
    ):
        noise = ((a.var(0) + b.var(0)) / count).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() <= 5 * noise + 1e-9).all()


def test_a_probability_of_one_draws_as_before(digits: torch.Tensor) -> None:
    everything = {"rotation": 7.0, "shift": 2.0, "zoom": 0.1, "shear": 5.0, "erase": 0.5}
    once = Augment(**everything).apply(digits, torch.Generator().manual_seed(1))
    ones = Augment(**everything, p=AugmentP(rotation=1.0)).apply(digits, torch.Generator().manual_seed(1))
    none = Augment(
        rotation=7.0, shift=2.0, zoom=0.1, shear=5.0, crop=20, brightness=0.5, contrast=0.5,
        p=AugmentP(rotation=0.0, shift=0.0, zoom=0.0, shear=0.0, crop=0.0, jitter=0.0),
    ).apply(digits, torch.Generator().manual_seed(1))  # fmt: skip
    assert torch.equal(once, ones)
    assert torch.equal(none, digits)


def test_coordinates_are_exact_with_and_without_a_matrix_product() -> None:
    generator = torch.Generator().manual_seed(3)
    row = torch.randint(-(40 << 16), 40 << 16, (500, 3), generator=generator).double() / 65536
    steps = torch.arange(28, dtype=torch.float64)
    grid = torch.stack((steps.repeat(28), steps.repeat_interleave(28), torch.ones(784, dtype=torch.float64)))
    with_product, without = (
        _coordinates(row, grid, torch.empty(500, 784).double(), way) for way in (True, False)
    )
    assert torch.equal(with_product, without)
