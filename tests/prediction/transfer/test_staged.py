"""Batches on their way to a device and back, two at a time.

The lanes of these tests are on the CPU, and as late as lanes may be: what comes from the device is
there when it is waited for, and not before. Those of CUDA are tested where there is such a device.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.prediction import Schedule, inference, iter_predictions, run_prediction
from napari_tessera.prediction.inference import TileModel
from napari_tessera.prediction.tile_io import Tile, TileReader
from napari_tessera.prediction.transfer.choice import transfer_for
from napari_tessera.prediction.transfer.plain import PlainTransfer
from napari_tessera.prediction.transfer.staged import HostMemory, StagedTransfer, part_of

CPU = torch.device("cpu")


@dataclass
class Late:
    """A copy that is made when it is waited for."""

    pairs: Sequence[tuple[Tensor, Tensor]]
    passed: bool = False

    def wait(self) -> None:
        for there, host in () if self.passed else self.pairs:
            host.copy_(there)
        self.passed = True


@dataclass
class LateLanes:
    """Lanes to the CPU: they note what they are asked for."""

    sizes: list[int] = field(default_factory=list)
    given: list[torch.dtype] = field(default_factory=list)
    copies: list[Late] = field(default_factory=list)
    most: int = 0

    def memory(self, size: int) -> Tensor:
        self.sizes.append(size)
        return torch.full((size,), 0xAB, dtype=torch.uint8)

    def copy_in(self, host: Tensor) -> tuple[Tensor, Late]:
        self.given.append(host.dtype)
        return host.clone(), Late([])

    def copy_out(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Late:
        self.copies.append(Late(pairs))
        self.most = max(self.most, sum(not copy.passed for copy in self.copies))
        return self.copies[-1]


def sharpened(x: Tensor) -> Tensor:
    return x + 0.5 * (x - torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1))


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> LateLanes:
    """The CPU as a device with lanes."""
    found = LateLanes()
    monkeypatch.setattr(inference, "transfer_for", lambda device: StagedTransfer(device, found))
    return found


def image(dtype: str, shape: tuple[int, ...] = (2, 70, 90)) -> np.ndarray:
    return np.random.default_rng(2).normal(1000, 80, shape).astype(dtype)


SETTINGS: dict[str, Any] = {"patch_size": 32, "overlaps": 8, "normalization": "time_point"}


@pytest.mark.parametrize("dtype", ["uint16", "uint8", "float32", "float64"])
@pytest.mark.parametrize("blending", ["crop", "linear"])
@pytest.mark.parametrize("batch", [1, 3])
def test_two_at_a_time_give_the_bytes_of_one(
    dtype: str, blending: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = image("float32").clip(0, 255) if dtype == "uint8" else image("float32")
    values = values.astype(dtype)
    settings = {**SETTINGS, "blending": blending, "batch_size": batch}
    plain = predict(open_stack(values, "TYX"), load_model(sharpened), **settings)
    lanes = LateLanes()
    monkeypatch.setattr(inference, "transfer_for", lambda device: StagedTransfer(device, lanes))
    staged = predict(open_stack(values, "TYX"), load_model(sharpened), **settings)
    assert staged.tobytes() == plain.tobytes()
    assert lanes.most == 2
    assert all(copy.passed for copy in lanes.copies)
    # raw pixels travel as they are, and what is too wide for float32 as float32
    wanted = torch.float32 if dtype == "float64" else getattr(torch, dtype)
    assert set(lanes.given) == {wanted}
    assert len(lanes.sizes) <= 5, "buffers are used again"


@pytest.mark.parametrize("output", ["float64", "uint16"])
@pytest.mark.parametrize("tta", ["none", "mean"])
def test_all_other_ways_are_the_same_too(
    lanes: LateLanes, output: str, tta: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = image("uint16", (70, 90))
    settings = {**SETTINGS, "output_dtype": output, "tta": tta}
    staged = predict(open_stack(values, "YX"), load_model(sharpened), **settings)
    monkeypatch.undo()
    plain = predict(open_stack(values, "YX"), load_model(sharpened), **settings)
    assert staged.tobytes() == plain.tobytes()


def test_only_cores_come_back(lanes: LateLanes) -> None:
    values = image("uint16", (96, 96))
    stack, model = open_stack(values, "YX"), load_model(sharpened)
    plan = plan_prediction(stack, model, **SETTINGS)
    run_prediction(plan, stack, model)
    there = sum(host.numel() for copy in lanes.copies for _, host in copy.pairs)
    assert there == values.size


def test_tiles_of_several_samples_and_kinds_in_one_batch() -> None:
    values = image("float32")
    values[1] = values[1] * 3 + 100
    stack, model = open_stack(values, "TYX"), load_model(sharpened)
    plan = plan_prediction(stack, model, **SETTINGS)
    reader = TileReader(plan, stack, model)
    half = plan.tiles.n_tiles // 2
    first, other = (reader.read(i, plan.tiles.spec(i)) for i in (0, half))
    plain, staged = PlainTransfer(CPU), StagedTransfer(CPU, LateLanes())
    scaled = replace(other, pixels=other.levels, scaled=True)
    for tiles in ([first, other], [first, scaled], [scaled]):
        one, two = plain.up(tiles), staged.up(tiles)
        assert one.numpy().tobytes() == two.numpy().tobytes()
    cores = [(torch.randn(1, 5, 7), tile.processing) for tile in (first, other)]
    came = staged.down(cores).arrays()
    for array, expected in zip(came, plain.down(cores).arrays(), strict=True):
        assert array.tobytes() == expected.tobytes()
        assert array.flags.owndata


def test_numbers_that_float32_cannot_hold_are_used_when_it_is_back() -> None:
    tile = some_tile()
    huge = replace(tile.processing, multiply=np.array([1e31]), add=np.array([-1e31]))
    core = torch.full((1, 4, 4), 1.5)
    (came,) = StagedTransfer(CPU, LateLanes()).down([(core, huge)]).arrays()
    assert came == pytest.approx(0.5e31)


def some_tile() -> Tile:
    stack, model = open_stack(image("uint16", (64, 64)), "YX"), load_model(sharpened)
    plan = plan_prediction(stack, model, patch_size=64, normalization="time_point")
    return TileReader(plan, stack, model).read(0, plan.tiles.spec(0))


def test_many_that_are_not_waited_for_have_memory_of_their_own() -> None:
    """As the models of channels begin several batches at once."""
    tile = some_tile()
    transfer = StagedTransfer(CPU, LateLanes())
    given = [torch.full((1, 4, 4), float(i)) for i in range(5)]
    coming = [transfer.down([(core, tile.processing)]) for core in given]
    expected = [PlainTransfer(CPU).down([(core, tile.processing)]).arrays()[0] for core in given]
    for one, core in zip(coming, expected, strict=True):
        assert np.array_equal(one.arrays()[0], core)


def test_a_network_that_fills_its_answer_again_changes_nothing_before() -> None:
    tile, answer = some_tile(), torch.zeros(1, 4, 4)
    transfer = StagedTransfer(CPU, LateLanes())
    first = transfer.down([(answer, tile.processing)])
    answer.fill_(9)
    assert first.arrays()[0] == pytest.approx(tile.processing.add[0])


def test_the_memory_of_an_upload_is_left_alone_until_it_is_through() -> None:
    tile = some_tile()

    class Watching(LateLanes):
        def copy_in(self, host: Tensor) -> tuple[Tensor, Late]:
            there, _ = super().copy_in(host)
            before = host.clone()

            class Watched(Late):
                def wait(self) -> None:
                    assert torch.equal(host.view(torch.int16), before.view(torch.int16))
                    waited.append(self)

            return there, Watched([])

    waited: list[Late] = []
    lanes = Watching()
    transfer = StagedTransfer(CPU, lanes)
    for i in range(6):
        transfer.up([replace(tile, pixels=tile.pixels + i)])
    assert len(waited) == 4
    assert len(lanes.sizes) == 2


def test_a_cancel_lands_what_is_in_the_air(lanes: LateLanes) -> None:
    values, stop = image("uint16"), threading.Event()
    calls = 0

    def stopping(x: Tensor) -> Tensor:
        nonlocal calls
        calls += len(begun)
        if calls == 4:
            stop.set()
        return sharpened(x)

    begun: list[int] = []
    stack, model = open_stack(values, "TYX"), load_model(stopping)
    plan = plan_prediction(stack, model, **SETTINGS)
    begun.append(1)
    schedule = Schedule(plan.tiles)
    result = run_prediction(plan, stack, model, schedule=schedule, cancel=stop)
    assert (calls, result.completed, schedule.done()) == (4, False, [0, 1, 2, 3])


def test_an_error_names_what_was_at_work(lanes: LateLanes) -> None:
    calls = 0

    def failing(x: Tensor) -> Tensor:
        nonlocal calls
        calls += len(begun)
        if calls == 4:
            raise RuntimeError("boom")
        return sharpened(x)

    begun: list[int] = []
    seen: list[Any] = []
    stack, model = open_stack(image("uint16"), "TYX"), load_model(failing)
    plan = plan_prediction(stack, model, **SETTINGS)
    begun.append(1)
    with pytest.raises(RuntimeError, match="boom"):
        run_prediction(plan, stack, model, progress=seen.append)
    assert seen[-1].failed == (2, 3)
    assert max(len(state.running) for state in seen) == 2


@pytest.mark.parametrize("blending", ["crop", "linear"])
def test_a_new_order_waits_for_no_more_than_is_in_the_air(lanes: LateLanes, blending: str) -> None:
    stack, model = open_stack(image("uint16"), "TYX"), load_model(sharpened)
    plan = plan_prediction(stack, model, blending=blending, **SETTINGS)
    schedule, order = Schedule(plan.tiles), []
    last = plan.tiles.n_tiles - 1
    for region in iter_predictions(plan, stack, model, schedule=schedule):
        order.append(region.additional_metadata["tile_index"])
        if len(order) == 1:
            schedule.reorder([last])
    assert sorted(order) == list(range(plan.tiles.n_tiles))
    assert order.index(last) <= 2


def test_buffers_grow_and_are_used_again() -> None:
    made: list[int] = []

    def make(size: int) -> Tensor:
        made.append(size)
        return torch.empty(size, dtype=torch.uint8)

    memory = HostMemory(make)
    small = memory.take(8)
    memory.give_back(small)
    assert memory.take(4) is small
    other = memory.take(4)
    assert other is not small
    memory.give_back(small)
    large = memory.take(100)
    memory.give_back(large)
    assert memory.take(8) is large
    assert made == [8, 4, 100]
    part = part_of(large, torch.float32, (2, 3), 16)
    part.fill_(1)
    assert part.numpy().shape == (2, 3)
    assert np.frombuffer(large.numpy()[16:40].tobytes(), np.float32).tolist() == [1.0] * 6


def test_devices_without_lanes_go_the_plain_way() -> None:
    assert isinstance(transfer_for(CPU), PlainTransfer)
    assert isinstance(transfer_for(torch.device("mps")), PlainTransfer)


def test_of_flips_one_batch_is_at_the_model_at_a_time(lanes: LateLanes) -> None:
    stack, model = open_stack(image("uint16"), "TYX"), load_model(sharpened)
    depths = [
        TileModel(plan_prediction(stack, model, tta=tta, **SETTINGS), model).depth
        for tta in ("none", "mean")
    ]
    assert depths == [2, 1]


def test_buffers_are_let_go_of_with_their_last_user() -> None:
    """At once: pinned memory does not wait for the collector of garbage."""
    transfer = StagedTransfer(CPU, LateLanes())
    transfer.up([some_tile()])
    there = weakref.ref(transfer)
    gc.disable()
    try:
        del transfer
        assert there() is None
    finally:
        gc.enable()
