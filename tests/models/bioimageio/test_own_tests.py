"""The test that a package brings: what is kept of it, and what becomes of the package meanwhile."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.cache import VARIABLE, _of_process

Make = dict[str, Callable[..., Any]]

IMAGE = np.random.default_rng(0).gamma(2, 20, (1, 1, 16, 24)).astype(np.float32)


@pytest.fixture
def folder(package: Any, make: Make) -> Path:
    """A package whose network returns what it gets, and whose own test passes."""
    files = {name: make["npy"](IMAGE) for name in ("test_in.npy", "test_out.npy")}
    whole = make["description_05"]()
    for key, name in (("inputs", "test_in.npy"), ("outputs", "test_out.npy")):
        whole[key][0]["test_tensor"] = {"source": name}
    path: Path = package(whole, files, as_zip=False)
    return path


def test_a_verdict_is_of_the_tensors_it_was_reached_with(folder: Path) -> None:
    assert load_model(folder).run_own_test().passed
    np.save(folder / "test_out.npy", IMAGE + 1)
    with pytest.warns(UserWarning, match="own test fails by 1 "):
        changed = load_model(folder)
    assert changed.info.own_test.startswith("the package's own test fails by 1 ")
    np.save(folder / "test_out.npy", IMAGE)
    np.save(folder / "test_in.npy", IMAGE + 2)
    with pytest.warns(UserWarning, match="own test fails by 2 "):
        load_model(folder)


def test_a_verdict_is_kept_for_what_has_not_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    assert load_model(folder).own_test_result is not None
    _of_process.cache_clear()

    def run_again(model: object) -> None:
        raise AssertionError("it was run again")

    monkeypatch.setattr("napari_tessera.models.own_test_kept.run_own_test", run_again)
    model = load_model(folder)
    assert model.own_test_result is not None
    assert model.own_test_result.passed
    assert model.to("cpu").own_test_result == model.own_test_result


def test_a_package_that_is_gone_is_told_in_one_line(folder: Path) -> None:
    model = load_model(folder)
    shutil.rmtree(folder)
    with pytest.raises(ModelError, match=r"own test cannot be read \(No such file") as raised:
        model.run_own_test()
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{folder.name} cannot be used: ")


def test_a_package_that_moves_before_it_is_tested_can_be_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_folder(model: Any) -> Any:
        raise ModelError.not_usable(model.name, "its own test cannot be read", "Put it back")

    # a test that no other model has run
    for name in ("test_in.npy", "test_out.npy"):
        np.save(folder / name, IMAGE + 3)
    monkeypatch.setattr("napari_tessera.models.own_test_kept.run_own_test", without_folder)
    with pytest.warns(UserWarning, match="its own test cannot be run"):
        model = load_model(folder)
    (warning,) = model.warnings
    assert warning.startswith("its own test cannot be run: ")
    assert model.info.own_test == "not run"


def test_the_working_directory_may_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    model = load_model(folder.name)
    monkeypatch.chdir(folder)
    assert model.run_own_test().passed


class Refusing(nn.Module):
    """Refuses what is as bright as the test tensor."""

    def forward(self, x: Tensor) -> Tensor:
        assert bool(x.max() < 100), "too bright"
        return x


def test_a_network_that_asserts_fails_its_test_and_loads(
    package: Any, make: Make, folder: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.script(Refusing())
        torch.jit.save(program, folder / "weights.pt")
    with pytest.warns(UserWarning, match="own test fails: the network fails on it"):
        load_model(folder)
