"""A training that is gone on with: the same bits as one that nothing interrupted."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest

from napari_tessera.training import Trainer, TrainingError, TrainingProgress
from napari_tessera.training.loop.checkpoint import read_checkpoint

from .results import after, same

VARIANTS: dict[str, dict[str, Any]] = {
    "n2v": {},
    "n2v2": {"method": "n2v2", "depth": 2},
    "struct": {"struct_axis": "x", "struct_span": 3},
    "l1": {"method": "supervised", "loss": "l1"},
    "plateau": {"method": "supervised", "schedule": "plateau", "validate_every": 1, "steps": 20},
    "3d": {"spatial_dims": 3},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
    "no batch norm": {"batch_norm": False, "gradient_clip": None},
}


@pytest.mark.parametrize("changed", VARIANTS.values(), ids=VARIANTS.keys())
def test_going_on_comes_to_the_same_bits_as_no_interruption(
    changed: dict[str, Any], small: Any, source: Any, tmp_path: Path
) -> None:
    settings = small(**changed)
    targets = 0 if settings.self_supervised else 1
    whole = Trainer(source(settings, targets=targets), settings, device="cpu").run()
    assert whole.stopped == "finished"

    path = tmp_path / "state"
    for stop in (5, 2):
        data = source(settings, targets=targets)
        part = Trainer(data, settings, device="cpu", checkpoint=path).run(cancel=after(stop))
        assert part.stopped == "cancelled"
    assert read_checkpoint(path).step == 7
    data = source(settings, targets=targets)
    rest = Trainer(data, settings, device="cpu", checkpoint=path).run()
    assert data.asked == list(range(7, settings.steps))
    assert same(rest, whole)


def test_a_state_of_the_middle_of_a_run_is_gone_on_with_alike(
    small: Any, source: Any, tmp_path: Path
) -> None:
    settings, path, kept = small(), tmp_path / "state", tmp_path / "kept"

    def keep(progress: TrainingProgress) -> None:
        if progress.step == 9:
            shutil.copy(path, kept)

    clock = itertools.count()
    trainer = Trainer(
        source(settings),
        settings,
        device="cpu",
        checkpoint=path,
        checkpoint_seconds=0.0,
        clock=lambda: float(next(clock)),
    )
    whole = trainer.run(progress=keep)
    assert read_checkpoint(kept).step == 9
    rest = Trainer(source(settings), settings, device="cpu", checkpoint=kept).run()
    assert same(rest, whole)


def test_a_training_may_be_cancelled_before_its_first_step(
    small: Any, source: Any, tmp_path: Path
) -> None:
    settings = small()
    data = source(settings)
    result = Trainer(data, settings, device="cpu", checkpoint=tmp_path / "state").run(
        cancel=lambda: True
    )
    assert (result.step, result.stopped, result.losses, data.asked) == (0, "cancelled", (), [])
    whole = Trainer(source(settings), settings, device="cpu").run()
    rest = Trainer(source(settings), settings, device="cpu", checkpoint=tmp_path / "state").run()
    assert same(rest, whole)


def test_a_training_that_is_through_ends_at_once(small: Any, source: Any, tmp_path: Path) -> None:
    settings, path = small(), tmp_path / "state"
    first = Trainer(source(settings), settings, device="cpu", checkpoint=path).run()
    data = source(settings)
    assert same(Trainer(data, settings, device="cpu", checkpoint=path).run(), first)
    assert data.asked == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"features": 8}, "features was 4, is 8"),
        ({"learning_rate": 1e-3, "seed": 9}, "learning rate was 0.003, is 0.001; seed was 0"),
    ],
)
def test_other_settings_are_no_continuation(
    changed: dict[str, Any], words: str, small: Any, source: Any, tmp_path: Path
) -> None:
    path = tmp_path / "state"
    Trainer(source(small()), small(), device="cpu", checkpoint=path).run(cancel=after(1))
    with pytest.raises(TrainingError, match=words):
        Trainer(source(small()), small(**changed), device="cpu", checkpoint=path)


def test_other_data_is_no_continuation(small: Any, source: Any, tmp_path: Path) -> None:
    settings, path = small(), tmp_path / "state"
    Trainer(source(settings), settings, device="cpu", checkpoint=path).run(cancel=after(1))
    other = source(settings)
    other.fingerprint = "another image"
    with pytest.raises(TrainingError, match="on other data") as caught:
        Trainer(other, settings, device="cpu", checkpoint=path)
    assert caught.value.field == "checkpoint"
