"""Batches: pure functions of seed and step, whatever reads them and in which order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from zarr.storage import LocalStore

from napari_tessera.stacks import ArrayStack, ZarrStack
from napari_tessera.training.data.source import BatchSource
from napari_tessera.training.data.training_data import TrainingData
from napari_tessera.training.errors import TrainingError

from ...stacks.counting_store import CountingStore
from .kinds import MEMORY, STREAMED, noise, numbered, prepared, settings

MEMORIES = pytest.mark.parametrize("memory", [MEMORY, STREAMED], ids=["in memory", "streamed"])


def make(memory: int, **given: Any) -> TrainingData:
    return prepared(noise((3, 2, 40, 50)), "TCYX", memory=memory, **{"patch_size": (8, 8), **given})


@MEMORIES
def test_what_a_loop_asks_for(memory: int) -> None:
    data = make(memory)
    assert isinstance(data, BatchSource)
    assert (data.channels, data.spatial_dims) == (2, 2)
    batch = data.training_batch(0, 5)
    assert batch.noisy.shape == (5, 2, 8, 8)
    assert batch.noisy.dtype == torch.float32
    assert batch.noisy.is_contiguous()
    assert batch.target is None
    assert data.settings.batch_size == 16
    data.close()


@MEMORIES
def test_a_batch_is_a_function_of_seed_and_step(memory: int) -> None:
    data, other, seed = make(memory), make(memory), make(memory, seed=1)
    steps = [0, 7, 3, 500, 1, 0, 10**9]
    batches = {step: data.training_batch(step, 6).noisy for step in steps}
    with ThreadPoolExecutor(4) as pool:
        again = pool.map(lambda step: other.training_batch(step, 6).noisy, reversed(steps))
        for step, noisy in zip(reversed(steps), again, strict=True):
            assert torch.equal(batches[step], noisy)
    assert data.fingerprint == other.fingerprint
    assert not torch.equal(batches[0], seed.training_batch(0, 6).noisy)
    assert not torch.equal(batches[0], batches[1])
    for one in (data, other, seed):
        one.close()


@MEMORIES
def test_half_a_batch_twice_is_the_batch(memory: int) -> None:
    data = make(memory)
    halves = [data.training_batch(step, 3).noisy for step in (10, 11)]
    assert torch.equal(data.training_batch(5, 6).noisy, torch.cat(halves))
    data.close()


@MEMORIES
def test_a_pass_sees_all_of_the_training_part(memory: int) -> None:
    image = numbered((64, 96))
    data = prepared(image, "YX", memory=memory, patch_size=(8, 8), augment=False)
    (mean,), (std,) = data.statistics.means, data.statistics.stds
    seen: set[int] = set()
    for step in range(8 * data.patches // 16):
        values = data.training_batch(step, 16).noisy.numpy() * (std + 1e-6) + mean
        seen.update(np.rint(values).astype(int).ravel().tolist())
    (top, bottom), (left, right) = data.held_out["Y"], data.held_out["X"]
    image[top:bottom, left:right] = -1
    trained = set(image[image >= 0].astype(int).ravel().tolist())
    assert seen <= trained
    assert len(seen) > 0.97 * len(trained)
    data.close()


@MEMORIES
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.float32, np.float64])
def test_grey_levels_are_normalized(memory: int, dtype: type) -> None:
    image = (noise((2, 48, 48)) + np.array([50, 100])[:, None, None]).astype(dtype)
    data = prepared(image, "CYX", memory=memory, patch_size=(8, 8), validation_percent=0)
    exact = image.astype(np.float64)
    np.testing.assert_allclose(data.statistics.means, exact.mean((1, 2)), rtol=1e-12)
    np.testing.assert_allclose(data.statistics.stds, exact.std((1, 2)), rtol=1e-12)
    assert list(data.validation_batches(4)) == []
    batch = data.training_batch(0, 64).noisy.numpy().astype(np.float64)
    back = batch * (np.array(data.statistics.stds)[:, None, None] + 1e-6) + np.array(
        data.statistics.means
    ).reshape(2, 1, 1)
    np.testing.assert_allclose(back, np.rint(back), atol=1e-4)
    assert set(np.rint(back[:, 1]).ravel()) <= set(image[1].ravel().astype(float))
    data.close()


def test_a_large_offset_takes_no_digits() -> None:
    image = noise((48, 48)).astype(np.uint32) + 4_000_000_000
    data = prepared(image, "YX", patch_size=(8, 8))
    (mean,), (std,) = data.statistics.means, data.statistics.stds
    values = data.training_batch(0, 8).noisy.numpy().astype(np.float64) * std + mean
    np.testing.assert_allclose(values, np.rint(values), atol=1e-4)


@MEMORIES
def test_both_images_are_of_the_same_places(memory: int) -> None:
    image = numbered((4, 40, 40))
    data = prepared(
        image,
        "ZYX",
        memory=memory,
        target=2 * image + 7,
        method="supervised",
        patch_size=(8, 8),
    )
    for batch in (data.training_batch(3, 32), *data.validation_batches(8)):
        assert batch.target is not None
        torch.testing.assert_close(batch.noisy, batch.target, rtol=1e-4, atol=1e-4)
    (mean,), (clean,) = data.statistics.means, data.statistics.target_means or (0.0,)
    assert clean == pytest.approx(2 * mean + 7)
    data.close()


@pytest.mark.parametrize(
    ("given", "ways"),
    [
        ({"patch_size": (8, 8)}, 8),
        ({"patch_size": (8, 6)}, 4),
        ({"patch_size": (8, 8), "struct_axis": "x"}, 4),
        ({"patch_size": (8, 8), "augment": False}, 1),
    ],
)
def test_patches_are_flipped_and_turned(given: dict[str, Any], ways: int) -> None:
    image = numbered((32, 32))
    data = prepared(image, "YX", **given)
    noisy = data.training_batch(0, 400).noisy[:, 0]
    along_x = noisy[:, 0, 1] - noisy[:, 0, 0]
    along_y = noisy[:, 1, 0] - noisy[:, 0, 0]
    step = 1 / data.statistics.stds[0]
    directions = {
        (round(float(x) / step), round(float(y) / step))
        for x, y in zip(along_x, along_y, strict=True)
    }
    assert len(directions) == ways


def test_z_is_never_turned() -> None:
    image = numbered((8, 32, 32))
    data = prepared(image, "ZYX", spatial_dims=3, patch_size=(4, 8, 8))
    noisy = data.training_batch(0, 100).noisy
    assert (noisy[:, 0, 1] > noisy[:, 0, 0]).all()


@MEMORIES
def test_validation_is_the_same_every_time(memory: int) -> None:
    data = make(memory)
    first, again = (list(data.validation_batches(5)) for _ in range(2))
    assert [batch.number for batch in first] == [-1 - at for at in range(len(first))]
    assert sum(len(batch.noisy) for batch in first) == data.validation_patches >= 32
    for one, same in zip(first, again, strict=True):
        assert torch.equal(one.noisy, same.noisy)
    data.close()


def test_other_pixels_masks_and_parts_have_another_fingerprint() -> None:
    image = noise((64, 64))
    changed = image.copy()
    changed[0, 0] += 1
    mask = np.ones((64, 64), bool)
    mask[:8, :8] = False
    data = [
        prepared(image, "YX", patch_size=(8, 8)),
        prepared(changed, "YX", patch_size=(8, 8)),
        prepared(image, "YX", mask, patch_size=(8, 8)),
        prepared(image, "YX", patch_size=(8, 16)),
        prepared(image, "YX", patch_size=(8, 8), validation_percent=20),
        prepared(image, "YX", patch_size=(8, 8), method="supervised", target=image),
    ]
    assert len({one.fingerprint for one in data}) == len(data)


def test_streaming_ends_with_close() -> None:
    data = make(STREAMED)
    data.training_batch(0, 4)
    data.close()
    data.close()
    with pytest.raises(TrainingError, match="are closed"):
        data.training_batch(1, 4)


def test_few_chunks_are_read_for_many_patches(tmp_path: Path) -> None:
    store = CountingStore(LocalStore(tmp_path / "a.zarr"))
    array = zarr.create_array(store, shape=(20, 384, 384), chunks=(10, 64, 64), dtype="u2")
    array[:] = noise((20, 384, 384))
    stack = ZarrStack(zarr.open_array(store, mode="r"), "ZYX")
    data = TrainingData.prepare(stack, settings(patch_size=(8, 8)), in_memory=STREAMED)
    store.reads.clear()
    for step in range(50):
        data.training_batch(step, 16)
    data.close()
    # each by itself would decode one to four chunks
    assert sum(store.of_chunks().values()) < 50 * 16 / 10
    stack.close()


def test_what_cannot_be_read_is_told_as_it_is() -> None:
    class Breaking(ArrayStack):
        broken = False

        def extract_patch(self, *given: Any) -> Any:
            if self.broken:
                raise OSError("the disk is gone")
            return super().extract_patch(*given)

    stack = Breaking(noise((64, 64)), "YX")
    data = TrainingData.prepare(stack, settings(patch_size=(8, 8)), in_memory=STREAMED)
    stack.broken = True
    with pytest.raises(OSError, match="the disk is gone"):
        data.training_batch(0, 4)
    data.close()
