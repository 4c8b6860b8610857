"""Block by block, in any order and from several threads: the bytes of one run."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_tessera import load_model, plan_prediction
from napari_tessera.models import Model
from napari_tessera.prediction.block_run import predict_block
from napari_tessera.prediction.inside.kept import KeptTiles
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing.chunks import chunking, halves
from napari_tessera.writing.ome.order import OmeOrder
from napari_tessera.writing.stored.block_target import BlockTarget
from napari_tessera.writing.stored.copied_channels import with_all_channels
from napari_tessera.writing.stored.image_store import ImageOptions

from .block_runs import (
    Job,
    check_same,
    clipping_job,
    clipping_pixels,
    do_blocks,
    do_levels,
    in_blocks,
    network,
)

SIZES = {"S": 3, "T": 4, "C": 3, "Z": 6}


@cache
def model_of(dims: int, given: int, made: int, pools: bool) -> Model:
    return network(dims, given, made, pools=pools)


def region_of(choice: random.Random, axes: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """A part of an image: scattered samples, stretches of space."""
    region: dict[str, Any] = {}
    for letter, size in zip(axes, shape, strict=True):
        if letter in "STC" and size > 1 and choice.random() < 0.5:
            region[letter] = sorted(choice.sample(range(size), choice.randint(1, size)))
        elif letter in "ZYX" and size > 3 and choice.random() < 0.4:
            start = choice.randint(0, size // 3)
            region[letter] = slice(start, choice.randint(start + size // 2, size))
    return region


def any_job(seed: int) -> Job:
    """An image of any axes, a model that suits it, and any settings."""
    choice, rng = random.Random(seed), np.random.default_rng(seed)
    letters = [*(letter for letter in "STCZ" if choice.random() < 0.55), "Y", "X"]
    axes = "".join(choice.sample(letters, len(letters)))
    shape = tuple(
        choice.randint(1, SIZES[letter]) if letter in SIZES else choice.randint(30, 75)
        for letter in axes
    )
    sizes = dict(zip(axes, shape, strict=True))
    dims = choice.choice([2, 2, 3]) if "Z" in axes else 2
    together = sizes.get("C", 1) > 1 and choice.random() < 0.3
    given = sizes["C"] if together else 1
    made = choice.choice([given, 2]) if together or "C" not in axes else 1
    region = region_of(choice, axes, shape)
    if together:
        region.pop("C", None)
    kind = choice.choice(["uint16", "float32"])
    pixels = rng.normal(100, 60, shape).clip(0).astype(kind)
    if kind == "float32" and choice.random() < 0.5:
        pixels.ravel()[rng.integers(0, pixels.size, 5)] = np.nan
    stack = ArrayStack(pixels, axes)
    model = model_of(dims, given, made, choice.random() < 0.5)
    plan = plan_prediction(
        stack,
        model,
        patch_size=(4, 24, 24) if dims == 3 else choice.choice([20, 28]),
        overlaps=(0, 4, 4) if dims == 3 else choice.choice([4, 8]),
        region=region,
        batch_size=choice.randint(1, 3),
        blending=choice.choice(["crop", "crop", "linear", "gaussian"]),
        tta=choice.choice(["none", "none", "none", "none", "mean"]),
        output_dtype=choice.choice(["float32", "int8", "uint16"]),
        torch_threads=1,
    )
    if choice.random() < 0.4:
        # it makes a difference along any of the axes
        shape_kept = [n if choice.random() < 0.7 else 1 for n in plan.tiles.shape]
        kept = rng.random(shape_kept) < choice.choice([0.1, 0.4, 0.8])
        kept.ravel()[-1] = True
        which = KeptTiles.of(plan.tiles.axes, np.broadcast_to(kept, plan.tiles.shape))
        plan = plan if which.keeps_all else replace(plan, inside=which)
    options = ImageOptions(
        ome_version=choice.choice(["0.5", "0.5", "0.4"]),
        compression=choice.choice(["zstd", "none"]),
        chunks=choice.choice([None, *[(choice.randint(9, 30), choice.randint(9, 30))] * 2]),
        copy_channels=choice.random() < 0.7,
    )
    return Job(plan, stack, model, options)


def lengths_of(job: Job, like: Path, choice: random.Random) -> tuple[int, ...] | None:
    """Blocks of any lengths that are allowed, often the smallest, or what is chosen for slots."""
    if choice.random() < 0.3:
        return None
    array = zarr.open_array(like / "0", mode="r")
    about = zarr.open_group(like, mode="r").attrs["napari_tessera"]
    region = job.plan.region
    held = with_all_channels(region) if about.get("copied_channels") else region
    axes = OmeOrder(held.axes, held.selected_shape).disk_axes
    lengths = []
    for letter, unit, size in zip(axes, array.shards or array.chunks, array.shape, strict=True):
        n = -(-size // unit)
        many = choice.choice([1, 1, 2, 3, n])
        if letter == "C" and "C" not in job.plan.layout.sample_sizes:
            many = n
        lengths.append(unit if letter == "C" and held != region else many * unit)
    return tuple(lengths)


def check_blocks(seed: int) -> None:
    """One process and several write the same."""
    job, choice = any_job(seed), random.Random(seed + 1)
    sharded, slots, threads = choice.random() < 0.5, choice.randint(1, 9), choice.choice([1, 1, 2])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        # levels of images so small
        patched.setattr(halves, "SMALLEST_PLANE", 16)
        if sharded:
            patched.setattr(chunking, "MANY_CHUNKS", 3)
            patched.setattr(chunking, "SHARD_BYTES", 8000)
        one, other = Path(folder, "one.ome.zarr"), Path(folder, "other.ome.zarr")
        alone = job.alone(one)
        assert alone.completed
        lengths = lengths_of(job, one, choice)
        store = in_blocks(job, other, choice, slots=slots, lengths=lengths, threads=threads)
        check_same(one, other)
        assert store.n_tiles_done == alone.total == job.plan.total_tiles
        assert store.nonfinite == alone.nonfinite


@settings(max_examples=8, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1))
def test_blocks_in_any_order_leave_the_bytes_of_one_run(seed: int) -> None:
    check_blocks(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_blocks_of_any_image_leave_the_bytes_of_one_run(seed: int) -> None:
    check_blocks(1000 + seed)


@pytest.mark.parametrize("copies", [True, False])
def test_channels_with_models_of_their_own_are_blocks_like_others(
    copies: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halves, "SMALLEST_PLANE", 16)
    pixels = np.random.default_rng(0).normal(100, 9, (2, 4, 50, 40)).astype(np.float32)
    pixels[:, 1] += 1000
    stack = ArrayStack(pixels, "TCYX")
    model = load_model({1: network(pools=True), 3: network()}, device="cpu")
    plan = plan_prediction(stack, model, patch_size=24, overlaps=8, torch_threads=1)
    assert plan.region.along("C") == (1, 3)
    job = Job(plan, stack, model, ImageOptions(copy_channels=copies, chunks=(20, 20)))
    one, other = tmp_path / "one.ome.zarr", tmp_path / "other.ome.zarr"
    assert job.alone(one).completed
    store = in_blocks(job, other, random.Random(0), slots=30)
    assert store.cut.n_blocks > 10
    assert store.arrays[0].shape[1] == (4 if copies else 2)
    check_same(one, other)


@pytest.mark.parametrize("chunks", [(24, 20), (60, 80)])
def test_a_worker_that_comes_back_late_does_no_harm(
    chunks: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # it has no room for begun chunks; its block was given to another one meanwhile
    job = replace(clipping_job(clipping_pixels(), "float32"), options=ImageOptions(chunks=chunks))
    one, other = tmp_path / "one.ome.zarr", tmp_path / "other.ome.zarr"
    job.alone(one)
    with job.begin(other, lengths=(1, 120, 80)) as store:
        late = replace(job.task(other, store.run_id), memory_limit=0)
        looked, look = count(), BlockTarget.look

        def late_look(target: BlockTarget) -> None:
            look(target)
            if target is late.target and (batch := next(looked)) == 4:
                do_blocks(job, other, store, random.Random(0))
            elif target is late.target and batch == 7:
                raise OSError("its machine is gone")

        monkeypatch.setattr(BlockTarget, "look", late_look)
        with pytest.raises(OSError, match="its machine is gone"):
            predict_block(late, 0)
        assert store.done.all()
        do_levels(job, other, store, random.Random(0))
        store.finish()
    check_same(one, other)
