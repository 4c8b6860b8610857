"""Images that are predicted by one run, and block by block, and what both leave."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
import zarr
from torch import nn

from napari_tessera import load_model, plan_prediction
from napari_tessera.models import Model
from napari_tessera.prediction import PredictionPlan, Schedule, run_prediction
from napari_tessera.prediction.block_run import (
    BlockResult,
    BlockTask,
    predict_block,
    stored_plan,
    write_level_block,
)
from napari_tessera.prediction.pipeline import RunResult
from napari_tessera.prediction.run_facts import run_info
from napari_tessera.stacks import ArrayStack, ImageStack
from napari_tessera.writing import WriteTilesZarr, read_unfinished
from napari_tessera.writing.stored.block_store import BlockStore
from napari_tessera.writing.stored.block_target import BlockTarget
from napari_tessera.writing.stored.image_store import ImageOptions

TIMES = ("started", "finished")


class Net(nn.Module):
    """Convolutions with some reach and, where it pools, a period of 2."""

    def __init__(self, dims: int, given: int, made: int, *, pools: bool) -> None:
        super().__init__()
        conv = nn.Conv2d if dims == 2 else nn.Conv3d
        pool = nn.AvgPool2d if dims == 2 else nn.AvgPool3d
        self.first = conv(given, 2, 3, padding=1)
        self.down = pool(2) if pools else nn.Identity()
        self.up = nn.Upsample(scale_factor=2) if pools else nn.Identity()
        self.last = conv(2, made, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.up(self.down(torch.relu(self.first(x)))))


class Sharpen(nn.Module):
    """One 3×3 convolution that leaves what is flat as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        weight = torch.full((3, 3), -0.1)
        weight[1, 1] = 1.8
        self.layer.weight = nn.Parameter(weight[None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def network(dims: int = 2, given: int = 1, made: int = 1, *, pools: bool = False) -> Model:
    torch.manual_seed(dims + 10 * given + 100 * made)
    model = load_model(Net(dims, given, made, pools=pools).eval(), device="cpu")
    _ = model.geometry
    return model


@dataclass
class Job:
    """A plan with its image and model, and how its result is stored."""

    plan: PredictionPlan
    stack: ImageStack
    model: Model
    options: ImageOptions = field(default_factory=ImageOptions)

    def info(self, *, resume: bool = False, done: Sequence[int] = ()) -> Any:
        schedule = Schedule(self.plan.tiles, done=done)
        return run_info(self.plan, self.stack, self.model, schedule, resume)

    def alone(
        self,
        where: Any,
        *,
        resume: bool = False,
        stop_after: int | None = None,
        order: Sequence[int] | None = None,
    ) -> RunResult:
        """Run as one process does; ``stop_after`` some tiles."""
        stored = read_unfinished(where) if resume else None
        schedule = Schedule(
            self.plan.tiles, order=order, done=() if stored is None else stored.done
        )
        cancel = Event()

        def look(state: Any) -> None:
            if stop_after is not None and state.done >= stop_after:
                cancel.set()

        options = {name: getattr(self.options, name) for name in self.options.__dataclass_fields__}
        return run_prediction(
            self.plan,
            self.stack,
            self.model,
            writers=[(WriteTilesZarr(where, **options), Path())],
            schedule=schedule,
            resume=resume,
            cancel=cancel,
            progress=look,
        )

    def begin(self, where: Any, *, resume: bool = False, **options: Any) -> BlockStore:
        """Make or reopen the image, as who hands out blocks does."""
        return BlockStore(where, self.info(resume=resume), options=self.options, **options)

    def task(self, where: Any, run_id: str) -> BlockTask:
        """What a worker prepares."""
        target = BlockTarget.open(where, run_id)
        plan = stored_plan(target)
        assert plan == self.plan
        return BlockTask(plan, self.stack, self.model, target)


LENGTHS = (1, 24, 40)
"""Of the blocks of `clipping_job`: 20 of them."""


def clipping_pixels() -> np.ndarray:
    """Two planes; what is made of a spot in the second is beyond int8."""
    pixels = np.random.default_rng(3).integers(20, 40, (2, 100, 80)).astype(np.uint16)
    pixels[1, 40:52, 15:30] = 2000
    return pixels


def clipping_job(pixels: np.ndarray, dtype: str = "int8") -> Job:
    """Planes of 5 × 4 tiles in chunks of 24 × 20."""
    stack, model = ArrayStack(pixels, "TYX"), load_model(Sharpen().eval(), device="cpu")
    _ = model.geometry
    plan = plan_prediction(
        stack,
        model,
        patch_size=24,
        overlaps=4,
        normalization="none",
        output_dtype=dtype,
        torch_threads=1,
        batch_size=1,
    )
    return Job(plan, stack, model, ImageOptions(chunks=(24, 20)))


def do_blocks(
    job: Job,
    where: Any,
    store: BlockStore,
    choice: random.Random,
    *,
    n: int | None = None,
    threads: int = 1,
) -> list[BlockResult]:
    """Do the blocks that are not done, or ``n`` of them, in any order."""
    todo = [number for number, done in enumerate(store.done) if not done]
    choice.shuffle(todo)
    parts = [todo[:n][at::threads] for at in range(threads)]

    def work(numbers: list[int]) -> list[BlockResult]:
        task = job.task(where, store.run_id)
        return [predict_block(task, number) for number in numbers]

    if threads == 1:
        results = work(parts[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            results = [result for part in pool.map(work, parts) for result in part]
    for result in results:
        assert result.completed
        assert result.tiles == store.cut.n_owned(result.number)
        store.note_done(
            result.number, tiles=result.tiles, clipped=result.clipped, nonfinite=result.nonfinite
        )
    return results


def do_levels(
    job: Job, where: Any, store: BlockStore, choice: random.Random, threads: int = 1
) -> None:
    """Write the smaller levels, one after the other, each in any order."""
    for level, grid in list(enumerate(store.levels))[1:]:
        numbers = list(range(prod(grid.counts)))
        choice.shuffle(numbers)
        targets = [BlockTarget.open(where, store.run_id) for _ in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            for at, target in enumerate(targets):
                part = numbers[at::threads]
                list(pool.map(lambda n, t=target, k=level: write_level_block(t, k, n), part))


def in_blocks(
    job: Job,
    where: Any,
    choice: random.Random,
    *,
    resume: bool = False,
    threads: int = 1,
    **options: Any,
) -> BlockStore:
    """All of it, block by block."""
    with job.begin(where, resume=resume, **options) as store:
        if store.completed:
            return store
        do_blocks(job, where, store, choice, threads=threads)
        do_levels(job, where, store, choice, threads)
        store.finish()
    return store


def files(folder: Path) -> dict[str, bytes]:
    """All objects of a store in a folder but the group's own, which tells the time."""
    return {
        name: file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and (name := file.relative_to(folder).as_posix()) not in ("zarr.json", ".zattrs")
    }


def attributes(folder: Path) -> dict[str, Any]:
    """The group's attributes without times."""
    found: dict[str, Any] = zarr.open_group(folder, mode="r").attrs.asdict()
    found["napari_tessera"] = {
        key: value for key, value in found["napari_tessera"].items() if key not in TIMES
    }
    return found


def check_same(one: Path, other: Path) -> None:
    """Two stores hold the same objects and attributes."""
    theirs, ours = files(one), files(other)
    assert sorted(theirs) == sorted(ours)
    assert [name for name in theirs if theirs[name] != ours[name]] == []
    expected, found = attributes(one), attributes(other)
    # the image is called after its folder
    for each in (expected, found):
        for scales in (each.get("ome", each)).get("multiscales", ()):
            scales.pop("name", None)
    assert found == expected
