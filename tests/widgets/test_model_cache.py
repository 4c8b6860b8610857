"""Models kept between runs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.widgets.conftest import Blur

from napari_tessera import models
from napari_tessera.models import ModelError
from napari_tessera.widgets.model_cache import KEPT, ModelCache, _identity


def save(path: Path) -> Path:
    torch.jit.trace(Blur(), torch.zeros(1, 1, 16, 16)).save(path)  # type: ignore[no-untyped-call]
    return path


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_file_is_loaded_once_and_again_after_it_changed(tmp_path: Path) -> None:
    cache = ModelCache()
    path = save(tmp_path / "model.pt")
    first = cache.get(str(path), "cpu", "float32")
    assert cache.get(str(path), "cpu", "float32") is first
    assert cache.get(path, "cpu", "float32") is first
    path.write_bytes(path.read_bytes() + b"\0" * 16)
    assert cache.get(str(path), "cpu", "float32") is not first


def test_a_module_is_the_same_as_long_as_it_is_the_same_object() -> None:
    cache = ModelCache()
    module = Blur()
    first = cache.get(module, "cpu", "float32")
    assert cache.get(module, "cpu", "float32") is first
    assert cache.get(module, "cpu", "bfloat16") is not first
    assert cache.get(Blur(), "cpu", "float32") is not first


def test_only_the_last_ones_are_kept() -> None:
    cache = ModelCache()
    modules = [Blur() for _ in range(KEPT + 1)]
    models = [cache.get(module, "cpu", "float32") for module in modules]
    assert cache.get(modules[-1], "cpu", "float32") is models[-1]
    assert cache.get(modules[0], "cpu", "float32") is not models[0]


def test_what_cannot_be_loaded_says_so_each_time(tmp_path: Path) -> None:
    cache = ModelCache()
    for _ in range(2):
        with pytest.raises(ModelError):
            cache.get(str(tmp_path / "missing.pt"), "cpu", "float32")


def test_another_model_waits_for_none_and_the_same_one_for_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache, slow, fast = ModelCache(), Blur(), Blur()
    begun, go_on, loads = threading.Event(), threading.Event(), []
    load = models.load_model

    def watched(source: Any, **options: Any) -> Any:
        loads.append(source)
        if source is slow:
            begun.set()
            assert go_on.wait(20)
        return load(source, **options)

    monkeypatch.setattr(models, "load_model", watched)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, slow, "cpu", "float32")
        assert begun.wait(20)
        second = pool.submit(cache.get, slow, "cpu", "float32")
        cache.get(fast, "cpu", "float32")
        assert not first.done()
        go_on.set()
        assert first.result(20) is second.result(20)
    assert loads == [slow, fast]


@pytest.mark.parametrize("chosen", [".", "rdf.yaml", "model.onnx"])
def test_a_package_is_another_one_once_any_of_its_files_is(tmp_path: Path, chosen: str) -> None:
    for name in ("rdf.yaml", "model.onnx", "model.onnx.data", "more/weights.pt", "out.zarr/c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    before = _identity(tmp_path / chosen)
    assert _identity(str(tmp_path / chosen)) == before
    (tmp_path / "out.zarr" / "c").write_bytes(b"22")
    assert _identity(tmp_path / chosen) == before
    for name in ("rdf.yaml", "model.onnx.data", "more/weights.pt"):
        (tmp_path / name).write_bytes(b"22")
        after = _identity(tmp_path / chosen)
        assert after != before
        before = after


def test_models_of_channels_are_the_same_as_long_as_each_of_them_is() -> None:
    cache = ModelCache()
    one, two = Blur(), Blur()
    first = cache.get({0: one, 1: two}, "cpu", "float32")
    assert cache.get({1: two, 0: one}, "cpu", "float32") is first
    assert cache.get({0: one}, "cpu", "float32") is not first
    assert cache.get({0: two, 1: one}, "cpu", "float32") is not first
