"""The loop: same seed, same weights; what it tells and keeps, and what may go wrong."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_tessera.training import Trainer, TrainingError, TrainingProgress
from napari_tessera.training.data.source import Batch
from napari_tessera.training.loop.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

from .results import after, same, weights


@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_decides_the_weights(threads: int, small: Any, source: Any) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    drawn = torch.random.get_rng_state()
    one, again, other = (
        Trainer(source(settings), settings, device="cpu").run()
        for settings in (small(seed=seed, steps=4, validate_every=2) for seed in (3, 3, 4))
    )
    assert same(one, again)
    assert not same(one, other)
    assert torch.equal(torch.random.get_rng_state(), drawn)


@pytest.mark.parametrize("planes", [4, 8])
def test_what_memory_held_before_decides_nothing(planes: int, small: Any, source: Any) -> None:
    def litter() -> None:
        # what is allocated after it has these values, until something is written there
        for size in (16, 256, 1024, 4096, 16384, 65536):
            lists = [torch.full((size,), torch.nan) for _ in range(20)]
            del lists

    class Littered(Spoilt):
        def training_batch(self, step: int, batch_size: int) -> Batch:
            litter()
            return super().training_batch(step, batch_size)

    settings = small(
        spatial_dims=3, patch_size=(planes, 16, 16), precision="auto", steps=6, method="supervised"
    )
    whole = Trainer(source(settings, 2, 2), settings, device="cpu").run()
    data = Littered(source(settings, 2, 2), at=-1)
    assert same(Trainer(data, settings, device="cpu").run(), whole)


def test_it_learns_to_denoise(small: Any, source: Any) -> None:
    settings = small(features=8, depth=2, steps=150, batch_size=8, learning_rate=3e-3)
    data = source(settings)
    result = Trainer(data, settings, device="cpu").run()
    noisy, statistics = data._noisy, data.statistics
    with torch.no_grad():
        answer = result.network(torch.from_numpy(noisy)[None])[0].numpy()
    grid = np.indices((64, 64)).astype(np.float32)
    clean = 40 + 20 * np.sin(grid[1] / 5) * np.cos(grid[0] / 7)
    clean = (clean - statistics.means[0]) / statistics.stds[0]
    assert np.square(answer[0] - clean).mean() < 0.35 * np.square(noisy[0] - clean).mean()
    validated = [loss for _, _, loss in result.losses if loss is not None]
    assert validated[-1] < validated[0]


def test_progress_tells_how_far_it_is(small: Any, source: Any) -> None:
    settings = small()
    clock = itertools.count()
    told: list[TrainingProgress] = []
    trainer = Trainer(source(settings), settings, device="cpu", clock=lambda: next(clock) / 4)
    result = trainer.run(progress=told.append)
    assert [each.step for each in told] == [*range(1, 13), 12]
    assert {each.steps for each in told} == {12}
    assert told[0].seconds_left is None
    assert told[0].patches_per_second is None
    assert all(each.seconds_left > 0 for each in told[1:-2] if each.seconds_left is not None)
    assert told[-1].seconds_left == 0
    assert told[5].patches_per_second is not None
    assert [each.validation_loss is None for each in told] == [*[True] * 5, *[False] * 8]
    assert all(each.training_loss is not None and each.training_loss > 0 for each in told)
    assert all(each.batch_size == 4 and each.notice is None for each in told)
    rates = [each.learning_rate for each in told]
    assert rates == sorted(rates, reverse=True)
    assert result.seconds > 0
    assert result.losses[-1][0] == 12


def test_reports_are_a_few_a_second_at_most(small: Any, source: Any) -> None:
    settings = small()
    told: list[TrainingProgress] = []
    Trainer(source(settings), settings, device="cpu", clock=lambda: 0.0).run(progress=told.append)
    assert [each.step for each in told] == [1, 12]


def test_the_state_is_kept_every_minute(small: Any, source: Any, tmp_path: Path) -> None:
    settings, path = small(), tmp_path / "state"
    now = 0.0
    seen: list[int] = []

    def tell(progress: TrainingProgress) -> None:
        nonlocal now
        now += 25.0
        seen.append(read_checkpoint(path).step if path.exists() else 0)

    Trainer(source(settings), settings, device="cpu", checkpoint=path, clock=lambda: now).run(
        progress=tell
    )
    # reports come every 25 s, the last one after the state of the end
    assert seen == [0, 0, 0, 4, 4, 4, 7, 7, 7, 10, 10, 10, 12]


@pytest.fixture
def small_files() -> Iterator[Callable[[int | None], None]]:
    """Makes the system refuse files over a size, as a full disk does."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int | None) -> None:
        most = resource.RLIM_INFINITY if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_a_full_disk_leaves_the_old_state_and_training_goes_on(
    small: Any, source: Any, tmp_path: Path, small_files: Callable[[int | None], None]
) -> None:
    settings, path = small(), tmp_path / "state"
    clock = itertools.count()
    told: list[TrainingProgress] = []
    found: dict[int, int] = {}

    def tell(progress: TrainingProgress) -> None:
        told.append(progress)
        found[progress.step] = read_checkpoint(path).step
        if progress.step == 3:
            small_files(1000)
        if progress.step == 8:
            small_files(None)

    trainer = Trainer(
        source(settings),
        settings,
        device="cpu",
        checkpoint=path,
        checkpoint_seconds=0.0,
        clock=lambda: float(next(clock)),
    )
    result = trainer.run(progress=tell)
    assert found == {1: 1, 2: 2, 3: 3, 4: 3, 5: 3, 6: 3, 7: 3, 8: 3, **{k: k for k in range(9, 13)}}
    notices = [each.notice for each in told if each.notice]
    assert list(result.notices) == notices
    assert len(notices) == 1
    assert "step 3 stays" in notices[0]
    assert "no space left" in notices[0]
    assert [each.name for each in tmp_path.iterdir()] == ["state"]
    assert same(result, Trainer(source(settings), settings, device="cpu").run())


def test_what_a_kill_left_is_cleared(small: Any, source: Any, tmp_path: Path) -> None:
    left = tmp_path / f".state.{'0123456789abcdef' * 2}.partial"
    left.write_bytes(b"half")
    settings = small()
    Trainer(source(settings), settings, device="cpu", checkpoint=tmp_path / "state")
    assert not left.exists()


class Spoilt:
    """A source one of whose batches has an infinite pixel."""

    def __init__(self, data: Any, at: int) -> None:
        self._data, self._at = data, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def training_batch(self, step: int, batch_size: int) -> Batch:
        batch: Batch = self._data.training_batch(step, batch_size)
        if step == self._at:
            batch.noisy.fill_(torch.inf)
        return batch


def test_a_loss_that_is_no_number_ends_it_and_the_last_state_is_kept(
    small: Any, source: Any, tmp_path: Path
) -> None:
    settings, path = small(), tmp_path / "state"
    clock = itertools.count()
    trainer = Trainer(
        Spoilt(source(settings), 7),
        settings,
        device="cpu",
        checkpoint=path,
        checkpoint_seconds=0.0,
        clock=lambda: float(next(clock)),
    )
    with pytest.raises(TrainingError, match=r"at step 8 \(state keeps the state of step 7\); use"):
        trainer.run()
    saved = read_checkpoint(path)
    assert saved.step == 7
    assert all(bool(one.isfinite().all()) for one in saved.tensors.values())
    whole = Trainer(source(settings), settings, device="cpu").run()
    assert same(Trainer(source(settings), settings, device="cpu", checkpoint=path).run(), whole)


def test_an_error_outside_of_a_step_keeps_the_state(
    small: Any, source: Any, tmp_path: Path
) -> None:
    settings, path = small(), tmp_path / "state"

    def fail(progress: TrainingProgress) -> None:
        if progress.step == 5:
            raise KeyError("a report that fails")

    clock = itertools.count()
    trainer = Trainer(
        source(settings),
        settings,
        device="cpu",
        checkpoint=path,
        checkpoint_seconds=1e9,
        clock=lambda: float(next(clock)),
    )
    with pytest.raises(KeyError, match="a report that fails"):
        trainer.run(progress=fail)
    assert read_checkpoint(path).step == 5


def test_training_ends_early_where_nothing_is_gained(
    small: Any, source: Any, tmp_path: Path
) -> None:
    # at such a rate nothing is learned
    settings = small(
        learning_rate=1e-8, patience=2, validate_every=1, steps=40, batch_norm=False, ema=0.0
    )
    path = tmp_path / "state"
    first = Trainer(source(settings), settings, device="cpu", checkpoint=path).run()
    assert first.stopped == "early"
    assert first.step < 40
    again = Trainer(source(settings), settings, device="cpu", checkpoint=path).run()
    assert again.stopped == "early"
    assert again.step == first.step


def test_nothing_held_out_is_no_validation(small: Any, source: Any) -> None:
    settings = small(validation_percent=0.0)
    result = Trainer(source(settings), settings, device="cpu").run()
    assert all(loss is None for _, _, loss in result.losses)
    assert result.network_step == 12


def test_snapshots_may_be_taken_from_another_thread(small: Any, source: Any) -> None:
    settings = small(steps=30)
    trainer = Trainer(source(settings), settings, device="cpu")
    before = weights(trainer.snapshot())
    done = threading.Event()
    finite: list[bool] = []

    def look() -> None:
        while not done.is_set():
            network = trainer.snapshot()
            with torch.no_grad():
                finite.append(bool(network(torch.zeros(1, 1, 16, 16)).isfinite().all()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        result = trainer.run()
    finally:
        done.set()
        thread.join(timeout=60)
    assert finite
    assert all(finite)
    snapshot = trainer.snapshot()
    assert not snapshot.training
    assert all(not each.requires_grad for each in snapshot.parameters())
    assert all(
        torch.equal(a, weights(snapshot)[name]) for name, a in weights(result.network).items()
    )
    assert not torch.equal(before["final_conv.weight"], weights(snapshot)["final_conv.weight"])


def changed_state(path: Path, keys: tuple[str, ...], value: Any) -> None:
    """Change a value of a state's document, or (``"tensors"``) replace a tensor."""
    saved = read_checkpoint(path)
    document = {"step": saved.step, "values": dict(saved.values)}
    tensors = dict(saved.tensors)
    place: Any = {**document, "tensors": tensors}
    for key in keys[:-1]:
        place = place[key]
    if keys == ("step",):
        document["step"] = value
    elif value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    whole = Checkpoint(
        saved.settings, saved.fingerprint, document["step"], tensors, document["values"]
    )
    write_checkpoint(path, whole)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("step",), -5),
        (("step",), 10**9),
        (("values", "device"), None),
        (("values", "precision"), "int8"),
        (("values", "rate"), None),
        (("values", "curve"), []),
        (("values", "curve", "sum"), "x"),
        (("values", "curve", "points"), [[1]]),
        (("values", "stepping", "batch_size"), 0),
        (("values", "best", "best"), [1.0]),
        (("values", "best", "best"), "abc"),
        (("values", "seconds"), "x"),
        (("values", "notices"), 3),
        (("tensors", "network/final_conv.weight"), None),
        (("tensors", "network/final_conv.weight"), torch.zeros(1)),
        (("tensors", "moments/0/exp_avg"), None),
    ],
)
def test_a_damaged_state_is_told_in_one_line(
    keys: tuple[str, ...], value: Any, small: Any, source: Any, tmp_path: Path
) -> None:
    settings, path = small(validate_every=2), tmp_path / "state"
    data = source(settings)
    Trainer(data, settings, device="cpu", checkpoint=path).run(cancel=after(4))
    changed_state(path, keys, value)
    with pytest.raises(TrainingError, match=r"^state is no state of a .* \(\w+\); begin") as no:
        Trainer(data, settings, device="cpu", checkpoint=path)
    assert no.value.field == "checkpoint"


def test_a_device_that_is_not_there_is_named(small: Any, source: Any) -> None:
    settings = small()
    with pytest.raises(ValueError, match="device 'cuda:77' is not on this machine"):
        Trainer(source(settings), settings, device="cuda:77")
