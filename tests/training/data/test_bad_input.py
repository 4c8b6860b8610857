"""What cannot be trained on: one clear line each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_tessera.models.own_format.document import _LARGEST
from napari_tessera.stacks import ArrayStack
from napari_tessera.training.data.statistics import LARGEST
from napari_tessera.training.data.training_data import TrainingData
from napari_tessera.training.errors import TrainingError

from .kinds import MEMORY, STREAMED, noise, prepared, settings
from .test_statistics import measured

MEMORIES = pytest.mark.parametrize("memory", [MEMORY, STREAMED], ids=["in memory", "streamed"])


def with_broken(shape: tuple[int, ...], where: Any, value: float) -> NDArray[np.float32]:
    image = noise(shape).astype(np.float32)
    image[where] = value
    return image


@MEMORIES
@pytest.mark.parametrize(
    ("image", "axes", "given", "field", "message"),
    [
        (np.zeros((64, 64), "u2"), "YX", {}, "image", r"every pixel of array .* is 0: .*another"),
        (np.full((64, 64), 7.5), "YX", {}, "image", r"every pixel of array .* is 7\.5"),
        (
            np.stack([noise((64, 64)), np.full((64, 64), 3, "u2")]),
            "CYX",
            {},
            "image",
            r"every pixel of channel 1 of array .* is 3: .* leave it out",
        ),
        (
            noise((20, 30)),
            "YX",
            {},
            "patch_size",
            r"20 pixels along Y, fewer .*32 × 32; use a patch of 10 × 10",
        ),
        (
            noise((4, 64, 64)),
            "ZYX",
            {"spatial_dims": 3, "patch_size": (8, 32, 32)},
            "patch_size",
            r"4 pixels along Z, fewer than one patch of 8 × 32 × 32; use a patch of 4 × 32 × 32",
        ),
        (
            noise((40, 50)),
            "YX",
            {},
            "patch_size",
            r"40 × 50 pixels.*32 × 32.*use a patch of 20 × 20",
        ),
        (noise((64, 64)), "YX", {"spatial_dims": 3, "patch_size": None}, "spatial_dims", "no Z"),
        (noise((64, 64)), "YX", {"method": "supervised"}, "target", "there is none; give one"),
        (noise((64, 64)), "YX", {"target": noise((64, 64))}, "target", "takes no clean image"),
        (
            noise((64, 64)) * 1e31,
            "YX",
            {},
            "image",
            r"of array are of the size of 2\.0e\+32, and a model takes 1e\+30 .*; divide .* 1e32",
        ),
        (
            np.stack([noise((64, 64)), noise((64, 64)) * 1e-9]),
            "CYX",
            {},
            "image",
            r"channel 1 of array have a .* of 4\..e-09, .* 1e-06 .*; multiply the image by 1e8",
        ),
        (
            noise((64, 64)),
            "YX",
            {"method": "supervised", "target": noise((64, 64)) * 1e-9},
            "target",
            r"standard deviation of 4\..e-09, and less than 1e-06 .* multiply .* 1e8",
        ),
        (np.full((64, 64), np.nan), "YX", {}, "image", r"NaN or infinite"),
        (np.full((64, 64), 1e300), "YX", {}, "image", r"NaN or infinite"),
    ],
)
def test_images(
    memory: int, image: NDArray[Any], axes: str, given: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(TrainingError, match=message) as refused:
        prepared(image, axes, memory=memory, **{"patch_size": (32, 32), **given})
    assert refused.value.field == field
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("target", "axes", "message"),
    [
        (noise((64, 60)), "YX", "size 64 along X and the clean one 60"),
        (noise((3, 64, 64)), "TYX", "size 1 along T and the clean one 3"),
        (noise((2, 64, 64)), "CYX", "has 1 channels and the clean one 2; choose as many"),
        (noise((1, 64, 64)), "ZYX", "axes YX and the clean one ZYX"),
    ],
)
def test_clean_images(target: NDArray[Any], axes: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as refused:
        TrainingData.prepare(
            ArrayStack(noise((64, 64)), "YX"),
            settings(method="supervised", patch_size=(8, 8)),
            target=ArrayStack(target, axes),
        )
    assert refused.value.field == "target"


def test_a_clean_image_may_lie_in_another_order() -> None:
    image = noise((3, 40, 48))
    data = TrainingData.prepare(
        ArrayStack(image, "TYX"),
        settings(method="supervised", patch_size=(8, 8)),
        target=ArrayStack(image.transpose(1, 2, 0), "YXT"),
    )
    batch = data.training_batch(0, 8)
    assert batch.target is not None
    assert np.array_equal(batch.noisy.numpy(), batch.target.numpy())


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((64, 64), bool), "nothing is marked in the mask"),
        (np.full((64, 64), np.nan), "nothing is marked in the mask"),
        (np.ones((64, 60), bool), r"shape 64×60, the image would take 3×64×64 \(TYX\) or 64×64"),
        (ArrayStack(np.ones((64, 60)), "YX"), "size 60 along X and the image 64"),
        (ArrayStack(np.ones((4, 64, 64)), "TYX"), "size 4 along T and the image 3"),
        (3, r"the mask has shape \(\)"),
        ("background", "mask 'background' is no image"),
    ],
)
def test_masks(mask: Any, message: str) -> None:
    with pytest.raises(TrainingError, match=message) as refused:
        prepared(noise((3, 64, 64)), "TYX", mask, patch_size=(8, 8))
    assert refused.value.field == "mask"


def test_a_mask_of_one_cell_cannot_be_parted() -> None:
    mask = np.zeros((64, 64), bool)
    mask[8:16, 8:16] = True
    with pytest.raises(TrainingError, match=r"mark more|held out"):
        prepared(noise((64, 64)), "YX", mask, patch_size=(8, 8))
    data = prepared(noise((64, 64)), "YX", mask, patch_size=(8, 8), validation_percent=0)
    assert data.patches == 1


@MEMORIES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_few_broken_pixels_are_left_out(memory: int, value: float) -> None:
    image = with_broken((64, 80), (5, 7), value)
    data = prepared(image, "YX", memory=memory, patch_size=(8, 8))
    for step in range(20):
        assert np.isfinite(data.training_batch(step, 16).noisy.numpy()).all()
    for batch in data.validation_batches(16):
        assert np.isfinite(batch.noisy.numpy()).all()
    told = [line for line in data.summary if "NaN or infinite" in line]
    if memory == MEMORY:
        assert told == [
            "1 pixel is NaN or infinite, the first at Y=5 X=7: what lies beside is left out"
        ]
    data.close()


def test_broken_pixels_of_the_clean_image_count_as_well() -> None:
    clean = with_broken((3, 64, 64), (2, 5, 7), np.nan)
    data = prepared(noise((3, 64, 64)), "TYX", target=clean, method="supervised", patch_size=(8, 8))
    assert any("T=2 Y=5 X=7" in line for line in data.summary)
    for step in range(20):
        batch = data.training_batch(step, 16)
        assert batch.target is not None
        assert np.isfinite(batch.target.numpy()).all()


def test_a_held_out_part_from_another_world_is_told_before() -> None:
    image = noise((96, 96)).astype(np.float32)
    given = {"patch_size": (8, 8)}
    held = prepared(image, "YX", **given).held_out
    image[tuple(slice(*held[letter]) for letter in "YX")] = -3e38
    said = r"held-out part \(rows .*\) has grey levels \d?e\+3\d .* no data, or use validation"
    with pytest.raises(TrainingError, match=said) as refused:
        prepared(image, "YX", **given)
    assert refused.value.field == "image"


@MEMORIES
def test_a_broken_border_is_no_hindrance(memory: int) -> None:
    image = with_broken((96, 96), (slice(None), slice(70, None)), np.nan)
    data = prepared(image, "YX", memory=memory, patch_size=(8, 8))
    for step in range(20):
        assert np.isfinite(data.training_batch(step, 16).noisy.numpy()).all()
    data.close()


def test_where_nothing_is_whole_reading_ends() -> None:
    image = noise((64, 64)).astype(np.float32)
    data = prepared(image, "YX", memory=STREAMED, patch_size=(8, 8))
    image[:] = np.nan
    with pytest.raises(TrainingError, match=r"24 patches in a row .* at Y=\d+ X=\d+; replace"):
        data.training_batch(0, 4)
    data.close()


def test_what_was_not_looked_at_is_not_spoken_of() -> None:
    dark = np.zeros((400, 64, 64), np.uint16)
    dark[7] = noise((64, 64))
    with pytest.raises(
        TrainingError,
        match=r"every pixel .* looked at \(1\.1 % of .*\) is 0: .* give a mask of where",
    ):
        measured(ArrayStack(dark, "ZYX"), 4 * 64 * 64 * 2)
    broken = np.full((400, 64, 64), np.nan, np.float32)
    with pytest.raises(TrainingError, match=r"no pixel .* looked at \(1\.1 % .* a mask of what is"):
        measured(ArrayStack(broken, "ZYX"), 4 * 64 * 64 * 4)


def test_what_a_model_holds_can_be_measured() -> None:
    assert _LARGEST == LARGEST


def test_a_broken_pixel_in_every_cell_leaves_nothing() -> None:
    image = with_broken((64, 64), (slice(4, None, 8), slice(4, None, 8)), np.nan)
    with pytest.raises(TrainingError, match=r"64 pixels that are NaN .*first at Y=4 X=4"):
        prepared(image, "YX", patch_size=(8, 8))
