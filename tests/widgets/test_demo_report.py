"""The demo's figures and its picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_tessera.widgets.demo_report import GAP, HEADER, ZOOM, psnr, save_before_after


def test_psnr_of_a_known_error() -> None:
    clean = np.linspace(100, 300, 201).astype(np.float32)
    assert psnr(clean + 2, clean) == pytest.approx(40.0)
    assert psnr((clean + 20).astype(np.uint16), clean) == pytest.approx(20.0, abs=0.01)
    assert psnr(clean, clean) == np.inf


def test_picture_shows_all_planes_with_one_grey_scale(tmp_path: Path) -> None:
    dark, bright = np.full((30, 40), 100, np.uint16), np.full((30, 40), 200.0, np.float32)
    bright[0, 0] = np.nan_to_num(1e9)
    path = tmp_path / "picture.png"
    save_before_after(path, [("dark", dark), ("bright", bright)], (100.0, 300.0))
    with Image.open(path) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (HEADER + ZOOM * 30 + GAP, GAP + 2 * (ZOOM * 40 + GAP))
    first = pixels[HEADER : HEADER + ZOOM * 30, GAP : GAP + ZOOM * 40]
    second = pixels[HEADER : HEADER + ZOOM * 30, 2 * GAP + ZOOM * 40 : 2 * GAP + 2 * ZOOM * 40]
    assert np.all(first == 0)
    assert np.all(second[:ZOOM, :ZOOM] == 255)
    assert np.all(second[ZOOM:] == 127)
    assert pixels[:HEADER].max() > 150, "the captions are missing"
