"""The order changes in mid-run: what is seen comes at once, and the bytes stay the same."""

from __future__ import annotations

import hashlib
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction
from napari_tessera.models import Model
from napari_tessera.prediction import (
    PredictionPlan,
    Progress,
    Schedule,
    blending,
    iter_predictions,
    run_prediction,
)
from napari_tessera.prediction.order import visible_first
from napari_tessera.stacks import ArrayStack
from napari_tessera.writing import ImageRegionData, WriteTilesZarr

PLANES = 5


def image(shape: tuple[int, ...] = (PLANES, 100, 118)) -> np.ndarray:
    return np.random.default_rng(3).normal(100, 10, shape).astype(np.float32)


class Leaning(nn.Module):
    """A small network that no flip or turn leaves as it is."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 5, padding=2), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def planned(model: Any = None, **settings: Any) -> tuple[ArrayStack, Model, PredictionPlan]:
    stack, loaded = open_stack(image(), "TYX"), load_model(model or Leaning())
    given = {"patch_size": 48, "overlaps": 16, **settings}
    return stack, loaded, plan_prediction(stack, loaded, **given)


def sha_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, but for when it was written."""
    times = re.compile(rb'"(started|finished)": "20[^"]*"')
    return {
        str(path.relative_to(folder)): hashlib.sha256(times.sub(b"", path.read_bytes())).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Restless:
    """Reorders at random each time that something happens."""

    def __init__(self, schedule: Schedule, seed: int) -> None:
        self.schedule = schedule
        self.rng = np.random.default_rng(seed)
        self.lock = threading.Lock()

    def __call__(self, progress: Progress) -> None:
        with self.lock:
            if self.rng.random() < 0.6:
                y, x = self.rng.integers(0, 90, 2).tolist()
                seen = {"T": int(self.rng.integers(0, PLANES)), "Y": slice(y, y + 60)}
                tiles = self.schedule.tiles
                self.schedule.reorder(visible_first(tiles, seen, {"Y": y + 30, "X": x}))


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(
    ("joining", "tta"),
    [
        ("crop", "none"),
        ("linear", "none"),
        ("gaussian", "none"),
        ("crop", "mean"),
        ("linear", "median"),
    ],
)
def test_the_bytes_do_not_depend_on_what_was_looked_at(
    tmp_path: Path, joining: str, tta: str, batch_size: int
) -> None:
    stack, model, plan = planned(blending=joining, tta=tta, batch_size=batch_size)
    assert plan.blending == joining
    found = []
    for seed in (None, 1, 2):
        path = tmp_path / str(seed) / "out.ome.zarr"
        path.parent.mkdir()
        schedule = Schedule(plan.tiles)
        result = run_prediction(
            plan,
            stack,
            model,
            writers=[(WriteTilesZarr(path), path.parent)],
            schedule=schedule,
            progress=None if seed is None else Restless(schedule, seed),
        )
        assert result.completed
        assert seed is None or schedule.changes > 10
        found.append(sha_of(path))
    assert len(found[0]) > PLANES
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("room", [0, 6 * 48 * 48 * 8, 2**30])
def test_blending_is_undone_whatever_room_there_is(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blending, "free_room", lambda: room)
    stack, model, plan = planned(blending="linear", batch_size=2)
    plain = {
        region.additional_metadata["tile_index"]: region.data.tobytes()
        for region in iter_predictions(plan, stack, model)
    }
    assert sorted(plain) == list(range(plan.total_tiles))
    schedule = Schedule(plan.tiles)
    restless = Restless(schedule, 5)
    again = {}
    for region in iter_predictions(plan, stack, model, schedule=schedule):
        again[region.additional_metadata["tile_index"]] = region.data.tobytes()
        restless(Progress(0, 1, (), (), 0.0, 0, {}))
    assert again == plain


def planes_of(plan: PredictionPlan, tiles: tuple[int, ...]) -> set[int]:
    return {plan.tiles.block(index)[0].start for index in tiles}


class Batches:
    """The batches that went to the model, in turn."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, ...]] = []

    def is_new(self, state: Progress) -> bool:
        """Take note of a batch; whether it begins with this report."""
        if not state.running or state.finished or state.running in self.begun:
            return False
        self.begun.append(state.running)
        return True


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("joining", ["crop", "linear"])
def test_after_a_change_no_further_batch_of_the_old_view_starts(
    joining: str, batch_size: int
) -> None:
    """The change comes while a batch is at the model, and all behind it is read ahead by then."""
    stack, model, plan = planned(blending=joining, batch_size=batch_size, reader_threads=3)
    schedule, batches = Schedule(plan.tiles), Batches()

    def progress(state: Progress) -> None:
        if batches.is_new(state) and len(batches.begun) == 3:
            schedule.reorder(visible_first(plan.tiles, {"T": 4}, {"Y": 70, "X": 70}))

    run_prediction(plan, stack, model, schedule=schedule, progress=progress)
    planes = [planes_of(plan, tiles) for tiles in batches.begun]
    behind = plan.tiles.tiles_per_sample // batch_size
    # where a core takes several batches, even the one that had begun is left
    assert planes[:3] == [{0}] * 3
    assert planes[3 : 3 + behind] == [{4}] * behind
    behind_view = [index for tiles in batches.begun[3 + behind + 1 :] for index in tiles]
    assert behind_view == sorted(behind_view), "the others come in chunk order"


def test_a_job_of_many_batches_is_left_when_the_view_changes() -> None:
    """Blending predicts up to nine tiles for a core: the new view waits for one batch of them."""
    calls: list[int] = []
    schedules: list[Schedule] = []

    def net(x: torch.Tensor) -> torch.Tensor:
        calls.append(len(calls))
        if schedules and len(calls) == 2:
            tiles = schedules[0].tiles
            schedules[0].reorder(visible_first(tiles, {"T": 4}, {"Y": 70, "X": 70}))
        return nn.functional.avg_pool2d(x, 3, stride=1, padding=1)

    stack, model, plan = planned(net, blending="linear")
    calls.clear()
    schedules.append(Schedule(plan.tiles))
    made = iter_predictions(plan, stack, model, schedule=schedules[0])
    first = next(made)
    index = first.additional_metadata["tile_index"]
    assert planes_of(plan, (index,)) == {4}
    # the two calls before the change, and what this core takes alone
    specs = plan.tiles.spec(index)
    assert specs["stitch_coords"][0] <= 70 < specs["stitch_coords"][0] + specs["crop_size"][0]
    assert len(calls) <= 2 + 9
    rest = [each.additional_metadata["tile_index"] for each in made]
    assert sorted([index, *rest]) == list(range(plan.total_tiles))
    # what had been predicted for the core that was left was kept
    assert len(calls) == plan.total_tiles


def test_what_is_read_and_wanted_again_is_not_read_twice() -> None:
    stack, model, plan = planned(reader_threads=2)
    reads: list[tuple[int, ...]] = []
    read = stack.extract_patch
    all_read = threading.Event()

    def counted(sample: int, channels: Any, coords: Any, size: Any) -> Any:
        reads.append((sample, *coords))
        found = read(sample, channels, coords, size)
        if len(reads) == 4:
            all_read.set()
        return found

    stack.extract_patch = counted  # type: ignore[method-assign]
    schedule, batches = Schedule(plan.tiles), Batches()

    def progress(state: Progress) -> None:
        if batches.is_new(state) and state.running == (0,):
            # four batches are ahead: one at the model, three that wait
            assert all_read.wait(20)
            schedule.reorder([3, 2, 1])

    run_prediction(plan, stack, model, schedule=schedule, progress=progress)
    assert batches.begun[:5] == [(0,), (3,), (2,), (1,), (4,)]
    assert len(reads) == len(set(reads)) == plan.total_tiles


def test_tiles_that_are_not_begun_wait_again_after_a_stop() -> None:
    stack, model, plan = planned(reader_threads=3, batch_size=2)
    schedule, stop = Schedule(plan.tiles), threading.Event()
    run_prediction(
        plan, stack, model, schedule=schedule, cancel=stop, progress=lambda state: stop.set()
    )
    done = schedule.done()
    assert 0 < len(done) < 6
    result = run_prediction(plan, stack, model, schedule=schedule)
    assert result.completed
    iterated = Schedule(plan.tiles)
    made = iter_predictions(plan, stack, model, schedule=iterated)
    next(made)
    made.close()  # type: ignore[attr-defined]
    assert iterated.next(plan.total_tiles) == list(range(plan.total_tiles))


def test_a_run_over_the_front_alone_ends_with_it() -> None:
    stack, model, plan = planned()
    schedule = Schedule(plan.tiles, rest=False)
    assert list(iter_predictions(plan, stack, model, schedule=schedule)) == []
    schedule.reorder(visible_first(plan.tiles, {"T": 2}, {"Y": 0, "X": 0}))
    first = [
        r.additional_metadata["tile_index"]
        for r in iter_predictions(plan, stack, model, schedule=schedule)
    ]
    assert planes_of(plan, tuple(first)) == {2}
    assert len(first) == plan.tiles.tiles_per_sample
    assert first[0] == 2 * plan.tiles.tiles_per_sample


class Kept:
    """A writer that keeps what it is given."""

    def __init__(self) -> None:
        self.regions: dict[int, ImageRegionData] = {}

    def write_batch(self, dirpath: Path, predictions: list[ImageRegionData]) -> None:
        self.regions.update({p.additional_metadata["tile_index"]: p for p in predictions})


@pytest.mark.parametrize("joining", ["crop", "linear"])
def test_known_cores_are_neither_read_nor_predicted(joining: str) -> None:
    stack, model, plan = planned(blending=joining, batch_size=2)
    part = plan_prediction(
        stack,
        model,
        patch_size=48,
        overlaps=16,
        blending=joining,
        batch_size=2,
        region={"T": [1, 3], "Y": slice(60, 100)},
    )
    before = {}
    for region in iter_predictions(part, stack, model):
        at = part.tiles.position(region.additional_metadata["tile_index"])
        before[part.tiles.grid_number(*at)] = region
    plain, seen = Kept(), []
    run_prediction(plan, stack, model, writers=[(plain, ".")])
    reads = []
    read = stack.extract_patch
    stack.extract_patch = lambda *a: reads.append(a[0]) or read(*a)  # type: ignore
    kept = Kept()
    result = run_prediction(
        plan, stack, model, writers=[(kept, ".")], known=before, progress=seen.append
    )
    assert result.completed
    running = {index for state in seen for index in state.running}
    assert running == set(range(plan.total_tiles)) - set(before)
    assert len(reads) == len(running) or joining != "crop"
    assert kept.regions.keys() == plain.regions.keys()
    for index, region in kept.regions.items():
        other = plain.regions[index]
        assert region.data.tobytes() == other.data.tobytes()
        assert region.region_spec == other.region_spec
        assert (
            region.additional_metadata["input"].tobytes()
            == other.additional_metadata["input"].tobytes()
        )
        assert region._replace(data=other.data, additional_metadata={}) == other._replace(
            additional_metadata={}
        )
    predicted = sum(r.data.size for i, r in kept.regions.items() if i in running)
    assert seen[-1].pixels == predicted
    assert seen[-1].measured_tiles == len(running) - 2


def test_what_is_known_of_everything_takes_no_model() -> None:
    stack, model, plan = planned()
    all_known = dict(enumerate(iter_predictions(plan, stack, model)))
    stack.extract_patch = lambda *a: pytest.fail("read")  # type: ignore
    kept, seen = Kept(), []
    result = run_prediction(
        plan, stack, model, writers=[(kept, ".")], known=all_known, progress=seen.append
    )
    assert result.completed
    assert len(kept.regions) == plan.total_tiles
    assert (seen[-1].warm_up_seconds, seen[-1].tiles_per_second) == (None, None)


def test_known_cores_of_other_tiles_are_refused() -> None:
    stack, model, plan = planned()
    first, second, *_ = iter_predictions(plan, stack, model)
    bare = first._replace(additional_metadata={})
    small = first._replace(data=first.data[..., 1:])
    for wrong in (second, bare, small):
        schedule = Schedule(plan.tiles)
        with pytest.raises(
            ValueError, match=r"the known core of tile 0 is not that tile's: .*image and grid"
        ):
            run_prediction(plan, stack, model, known={0: wrong}, schedule=schedule)
        assert schedule.next(1) == [0]
