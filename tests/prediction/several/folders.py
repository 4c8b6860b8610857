"""Folders, plates and models that tests of many images use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
import zarr
from numpy.typing import NDArray
from torch import nn

from napari_tessera.models import load_model

SETTINGS: dict[str, Any] = {"patch_size": 64, "overlaps": 2, "torch_threads": 1}


class Blur(nn.Module):
    """Mean over 3×3 pixels: reach 1, period 1."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.layer.weight, 1 / 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def blur() -> Any:
    """The blur as a model."""
    return load_model(Blur().eval(), device="cpu")


def noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.uint16]:
    """An image of noise."""
    return np.random.default_rng(seed).integers(100, 4000, shape).astype(np.uint16)


def tiff_folder(root: Path) -> Path:
    """Six TIFFs in two folders, one of them broken and one cut off, and what is no image."""
    folder = root / "images"
    (folder / "day2").mkdir(parents=True)
    tifffile.imwrite(folder / "a1.tif", noise((70, 90), 1))
    tifffile.imwrite(
        folder / "a2.tif", noise((2, 70, 90), 2), metadata={"axes": "TYX"}, imagej=True
    )
    tifffile.imwrite(folder / "a10.ome.tif", noise((3, 40, 50), 3), metadata={"axes": "ZYX"})
    tifffile.imwrite(folder / "day2" / "a1.tif", noise((64, 64), 4))
    np.save(folder / "day2" / "b.npy", noise((33, 44), 5))
    whole = (folder / "a1.tif").read_bytes()
    (folder / "broken.tif").write_bytes(whole[:8] + bytes(40))
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("nothing to see")
    (folder / ".hidden.tif").write_bytes(whole)
    return folder


def plate(
    path: Path, wells: tuple[str, ...] = ("B/03", "B/10", "C/03"), *, version: str = "0.5"
) -> Path:
    """An HCS plate with two fields in each well, CYX, as the standard describes it."""
    v2 = version == "0.4"
    zarr_format: Any = 2 if v2 else 3

    def group(where: Path, **described: Any) -> None:
        attributes = (
            {name: {**value, "version": version} for name, value in described.items()}
            if v2
            else {"ome": {"version": version, **described}}
        )
        zarr.open_group(where, mode="a", zarr_format=zarr_format).attrs.update(attributes)

    rows, columns = ["A", "B", "C"], ["03", "10"]
    listed = [
        {"path": w, "rowIndex": rows.index(w[0]), "columnIndex": columns.index(w[2:])}
        for w in wells
    ]
    group(
        path,
        plate={
            "name": "screen",
            "rows": [{"name": name} for name in rows],
            "columns": [{"name": name} for name in columns],
            "wells": listed,
            "field_count": 2,
            "acquisitions": [{"id": 1, "name": "first"}],
        },
    )
    for number, well in enumerate(wells):
        zarr.open_group(path / well.split("/")[0], mode="a", zarr_format=zarr_format)
        group(path / well, well={"images": [{"path": "0", "acquisition": 1}, {"path": "1"}]})
        for field in ("0", "1"):
            pixels = noise((2, 48, 56), 10 * number + int(field))
            inner = zarr.open_group(path / well / field, mode="a", zarr_format=zarr_format)
            inner.create_array("0", data=pixels, chunks=(1, 48, 56))
            axes = [{"name": "c", "type": "channel"}] + [
                {"name": n, "type": "space", "unit": "micrometer"} for n in "yx"
            ]
            scale = [{"type": "scale", "scale": [1.0, 0.5, 0.5]}]
            multiscale: dict[str, Any] = {
                "axes": axes,
                "datasets": [{"path": "0", "coordinateTransformations": scale}],
                "name": field,
            }
            if v2:
                inner.attrs.update({"multiscales": [{**multiscale, "version": version}]})
            else:
                inner.attrs.update({"ome": {"version": version, "multiscales": [multiscale]}})
    return path


def pixels_of(path: str | Path) -> NDArray[Any]:
    """Pixels of a result, by the library of its format alone."""
    path = Path(path)
    if path.name.endswith(".npy"):
        return np.load(path)
    if path.name.endswith((".tif", ".tiff")):
        return tifffile.imread(path)
    return np.asarray(zarr.open_group(path, mode="r")["0"][...])
