"""Models kept between runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.widgets.conftest import Blur

from napari_tessera.models import ModelError
from napari_tessera.widgets.model_cache import KEPT, ModelCache


def save(path: Path) -> Path:
    torch.jit.trace(Blur(), torch.zeros(1, 1, 16, 16)).save(path)  # type: ignore[no-untyped-call]
    return path


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
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


def test_models_of_channels_are_the_same_as_long_as_each_of_them_is() -> None:
    cache = ModelCache()
    one, two = Blur(), Blur()
    first = cache.get({0: one, 1: two}, "cpu", "float32")
    assert cache.get({1: two, 0: one}, "cpu", "float32") is first
    assert cache.get({0: one}, "cpu", "float32") is not first
    assert cache.get({0: two, 1: one}, "cpu", "float32") is not first
