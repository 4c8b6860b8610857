"""Each export, loaded here again, gives the pixels of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_tessera import load_model, open_stack, predict
from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.exporting import FORMATS, export_model

from ..own_files import image, levels, saved

ENDINGS = {"bioimageio": "zip", "torchscript": "pt", "careamics": "ckpt"}

KINDS: dict[str, tuple[UNetSettings, dict[str, Any]]] = {
    "N2V": (UNetSettings(2, depth=2, features=8), {}),
    "far from zero": (UNetSettings(2, depth=1, features=8), {"mean": 30_000.3}),
    "N2V2 of 2 channels": (UNetSettings(2, 2, 2, depth=1, features=8, n2v2=True), {}),
    "mixed": (UNetSettings(2, 3, 3, depth=1, features=8, independent=False), {}),
    "supervised in 3D": (UNetSettings(3, depth=1, features=8), {"target": True}),
    "2 to 1 without norms": (
        UNetSettings(2, 2, 1, depth=1, features=8, independent=False, batch_norm=False),
        {"target": True},
    ),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("settings", "further"), KINDS.values(), ids=KINDS)
def test_the_same_pixels(
    settings: UNetSettings, further: dict[str, Any], format: str, tmp_path: Path
) -> None:
    path = saved(tmp_path / "model.safetensors", settings, **further)
    out = export_model(path, tmp_path / f"exported.{ENDINGS[format]}")
    statistics = levels(settings, **further)
    sizes = (37, 42) if settings.spatial_dims == 2 else (7, 18, 20)
    stack = open_stack(image(settings, statistics, *sizes), "CYX" if len(sizes) == 2 else "CZYX")
    expected = np.asarray(predict(stack, load_model(path, device="cpu")))
    model = load_model(out, device="cpu")
    found = np.asarray(predict(stack, model))
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)
    assert model.warnings == ()
    assert (model.spatial_dims, model.in_channels) == (settings.spatial_dims, settings.in_channels)
    assert model.info.about.citations


@pytest.mark.parametrize("format", ["bioimageio", "careamics"])
def test_other_grey_levels_can_be_measured(format: str, tmp_path: Path) -> None:
    """The numbers are beside the network, so that the image's can be put in their place."""
    settings = UNetSettings(2, depth=1, features=8)
    path = saved(tmp_path / "model.safetensors", settings)
    out = export_model(path, tmp_path / f"exported.{ENDINGS[format]}")
    dim = image(settings, levels(settings), 40, 44)[0] / 8 + 900
    one, other = (
        predict(dim, load_model(file, device="cpu"), normalization="time_point")
        for file in (path, out)
    )
    assert np.abs(np.asarray(one) - np.asarray(other)).max() <= 1e-5 * np.ptp(np.asarray(one))
