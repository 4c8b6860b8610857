"""Files that layers are read from are looked for once, in a thread."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.layers import Image
from tests.widgets.conftest import Stage, noisy

from napari_tessera.stacks import LayerStack
from napari_tessera.widgets.layer_source import open_layer
from napari_tessera.widgets.origins import OriginBook
from napari_tessera.widgets.request import RunRequest, SaveTarget


def memory_map(path: Path) -> Any:
    np.save(path, noisy((64, 64)))
    return np.load(path, mmap_mode="r")


def test_other_data_is_looked_through_anew(tmp_path: Path) -> None:
    layer = Image(memory_map(tmp_path / "a.npy"))
    book = OriginBook()
    assert book.of(layer).of(open_layer(layer)) == (tmp_path / "a.npy",)
    assert book.of(layer) is book.of(layer)
    before = book.of(layer)
    layer.data = memory_map(tmp_path / "b.npy")
    assert book.of(layer).of(open_layer(layer)) == (tmp_path / "b.npy",)
    assert before.of(open_layer(layer)) == (tmp_path / "a.npy",)


def test_several_levels_are_known_again() -> None:
    layer = Image([noisy((64, 64)), noisy((32, 32))], multiscale=True)
    book = OriginBook()
    assert book.of(layer) is book.of(layer)


def test_nothing_is_kept_alive() -> None:
    layer = Image(noisy((64, 64)))
    book = OriginBook()
    book.of(layer)
    data = weakref.ref(layer.data)
    layer.data = noisy((64, 64), 1)
    gc.collect()
    assert data() is None


def test_reviews_and_the_run_look_once_and_not_in_the_gui_thread(
    model_stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked: list[threading.Thread] = []
    look = LayerStack.origins.fget
    assert look is not None

    def looking(stack: LayerStack) -> tuple[Path, ...]:
        looked.append(threading.current_thread())
        return look(stack)

    monkeypatch.setattr(LayerStack, "origins", property(looking))
    stage = model_stage
    layer = stage.viewer.add_image(memory_map(tmp_path / "a.npy"), name="cells")
    save = SaveTarget(tmp_path / "a.ome.zarr")
    for size in (48, 64):
        stage.log.said.clear()
        request = RunRequest((layer,), patch_size=(size, size), device="cpu", save=save)
        stage.controller.review(request)
        stage.wait(lambda: bool(stage.log.of("problem_changed")))
    stage.run(layer, save=save)
    # The engine looks for itself, once a run.
    ours = [thread for thread in looked if thread.name != "tessera-model"]
    assert len(ours) == 1
    assert ours[0] is not threading.main_thread()


def test_what_is_open_by_levels_is_found_as_well(tmp_path: Path) -> None:
    for name, size in (("a.npy", 64), ("b.npy", 32)):
        np.save(tmp_path / name, noisy((size, size)))
    levels = [np.load(tmp_path / name, mmap_mode="r") for name in ("a.npy", "b.npy")]
    layer = Image(levels, multiscale=True, contrast_limits=(0, 1))
    (opened,) = OriginBook().all_of([layer])
    assert set(opened.reads()) == {tmp_path / "a.npy", tmp_path / "b.npy"}
    layer = Image(levels[0])
    (opened,) = OriginBook().all_of([layer])
    assert opened.reads() == (tmp_path / "a.npy",)
