"""Several images, each shared by the workers of one cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_tessera.prediction.several import predict_files

from .scenes import SETTINGS, left_behind, one_machine, write_image


def test_each_image_is_that_of_one_process(client: Any, model: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    images = [write_image(tmp_path / "in" / f"{n}.zarr", (n, 64, 64)) for n in (1, 2)]
    settings = {name: value for name, value in SETTINGS.items() if name != "chunks"}
    report = predict_files(images, tmp_path / "out", model, client=client, **settings)
    assert report.summary == "2 of 2 images done"
    for image, entry in zip(images, report.entries, strict=True):
        alone = tmp_path / f"{image.stem}.ome.zarr"
        assert left_behind(Path(entry.output)) == one_machine(image, model, alone, chunks=None)


def test_only_what_workers_can_share(client: Any, image: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers of a cluster write OME-Zarr"):
        predict_files([image], tmp_path / "out", model, format="ome-tiff", client=client)
    assert not (tmp_path / "out").exists()
