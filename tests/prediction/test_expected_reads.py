"""How often a run decodes each chunk of an image that it reads with halos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.stacks.counting_store import CountingStore
from torch import nn
from zarr.storage import LocalStore, MemoryStore, ZipStore

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.prediction import Schedule, iter_predictions
from napari_tessera.prediction.read_ahead import PREFETCH
from napari_tessera.stacks import ImageStack, StackReadError


def blur(x: torch.Tensor) -> torch.Tensor:
    """Mean of 3×3, zeros beyond the edge."""
    return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)


def written(
    image: np.ndarray, store: Any = None, **layout: Any
) -> tuple[zarr.Array[Any], CountingStore]:
    """An image in a store that counts."""
    counting = CountingStore(MemoryStore() if store is None else store)
    array = zarr.create_array(counting, shape=image.shape, dtype=image.dtype, **layout)
    array[...] = image
    array = zarr.open_array(counting, mode="r+")
    return array, counting


def predicted(
    stack: ImageStack,
    counting: CountingStore,
    first: Callable[[Schedule], None] | None = None,
    **wanted: Any,
) -> dict[tuple[str, Any], int]:
    """Predict, and count what was read; the prediction must be that of an array in memory."""
    model = load_model(blur)
    plan = plan_prediction(stack, model, normalization="none", **wanted)
    schedule = Schedule(plan.tiles)
    counting.reads.clear()
    regions = []
    for region in iter_predictions(plan, stack, model, schedule=schedule):
        regions.append(region)
        if first is not None:
            first(schedule)
    assert schedule.n_done == schedule.n_wanted == len(regions)
    counts = counting.of_chunks()
    for region in regions:
        # what was read, beside what was made of it
        given_again = region.additional_metadata["input"]
        specs = region.region_spec
        at, size = specs["stitch_coords"], specs["crop_size"]
        sample, plane, channel = plan.layout.base_sample(specs["sample_idx"])
        assert plane is None
        channels = plan.input_channels if channel is None else [channel]
        np.testing.assert_array_equal(given_again, stack.extract_patch(sample, channels, at, size))
    return counts


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 4000, shape).astype(np.uint16)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(40, 120), st.integers(40, 120)),
    chunks=st.tuples(st.integers(1, 2), st.integers(5, 80), st.integers(5, 80)),
    patch=st.sampled_from([16, 32, 48]),
    overlap=st.sampled_from([2, 6, 12]),
    batch=st.integers(1, 3),
    version=st.sampled_from([2, 3]),
)
def test_each_chunk_is_decoded_once(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    patch: int,
    overlap: int,
    batch: int,
    version: Any,
) -> None:
    """Any grid of tiles on any grid of chunks."""
    array, counting = written(random_image(*shape), chunks=chunks, zarr_format=version)
    with open_stack(array, "TYX") as stack:
        counts = predicted(stack, counting, patch_size=patch, overlaps=overlap, batch_size=batch)
    assert set(counts.values()) == {1}
    assert len(counts) == np.prod([-(-n // size) for n, size in zip(shape, chunks, strict=True)])


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_in_a_folder_and_in_a_zip_file(kind: str, tmp_path: Path) -> None:
    """Half of the chunks are absent, and counted as such."""
    image = random_image(160, 200)
    image[:, 100:] = 0
    store: Any = LocalStore(tmp_path) if kind == "folder" else ZipStore(tmp_path / "a", mode="w")
    array, counting = written(image, store, chunks=(32, 20))
    with open_stack(array, "YX") as stack:
        counts = predicted(stack, counting, patch_size=48, overlaps=12)
        assert stack.absent_chunks == 25
    assert set(counts.values()) == {1}
    assert len(counts) == 50


@pytest.mark.parametrize("at_start", [False, True])
def test_chunks_and_indices_of_shards(at_start: bool) -> None:
    """A shard of which all is wanted at once would be read as a whole."""
    shards = {"shape": (96, 128), "index_location": "start" if at_start else "end"}
    layout = {"chunks": (32, 32), "shards": shards}
    array, counting = written(random_image(200, 300), **layout)
    with open_stack(array, "YX") as stack:
        counts = predicted(stack, counting, patch_size=48, overlaps=12, reader_threads=1)
    assert set(counts.values()) == {1}
    assert len({key for key, _ in counts}) == 9
    assert len(counts) == 7 * 10 + 9, "each chunk, and each index"
    with open_stack(array, "YX") as stack:
        counts = predicted(stack, counting, patch_size=48, overlaps=12, reader_threads=2)
    assert sum(counts.values()) <= 7 * 10 + 2 * 9, "two may want an index at once"


def test_parts_of_the_image() -> None:
    """Some time points and channels, a region, one channel at a time, and blended tiles."""
    array, counting = written(random_image(4, 3, 90, 120), chunks=(2, 2, 32, 32))
    some = {"region": {"T": [0, 3], "Y": slice(10, 70), "C": [0, 2]}, "patch_size": 32}
    for blending in ("crop", "linear"):
        with open_stack(array, "TCYX") as stack:
            counts = predicted(stack, counting, overlaps=12, blending=blending, **some)
        assert set(counts.values()) == {1}
    # in another order than they lie: those read last are kept
    with open_stack(array, "TCYX", channels=[2, 0]) as stack:
        counts = predicted(stack, counting, overlaps=12, patch_size=32)
    assert set(counts.values()) == {1}


def test_a_change_of_view_costs_no_more_than_the_tiles_that_are_read_again() -> None:
    array, counting = written(random_image(400, 400), chunks=(40, 40))
    jumps = iter([(300, 300), (100, 200), (0, 0), (350, 20)])

    def look(schedule: Schedule) -> None:
        if schedule.n_done % 20 == 10 and (at := next(jumps, None)) is not None:
            y, x = at
            schedule.prioritize({"Y": slice(y, y + 50), "X": slice(x, x + 50)})

    with open_stack(array, "YX") as stack:
        counts = predicted(stack, counting, look, patch_size=48, overlaps=12)
    assert next(jumps, None) is None
    assert len(counts) == 100
    # four jumps, for each the tiles that were read ahead and given back, of 4 chunks at most
    assert sum(counts.values()) - 100 <= 4 * PREFETCH * 2 * 4


def test_a_store_that_is_closed_or_damaged_meanwhile_says_so() -> None:
    array, _ = written(random_image(200, 200), chunks=(40, 40))
    model = load_model(blur)
    with open_stack(array, "YX") as stack:
        plan = plan_prediction(stack, model, patch_size=48, overlaps=12)
        run = iter_predictions(plan, stack, model)
        next(run)
        array.store._store._store_dict["c/4/3"] = array.store._store._store_dict["c/4/3"][:9]
        with pytest.raises(StackReadError, match=r"chunk c/4/3 at Y=160…199 X=120…159"):
            list(run)
        run = iter_predictions(plan, stack, model)
        next(run)
    with pytest.raises(ValueError, match="is closed; open it again"):
        list(run)
