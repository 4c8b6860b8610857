"""A run that would write over its own input is refused, and the input is as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_tessera.stacks import open_stack, read_origins
from napari_tessera.writing import WriteTilesZarr, check_target


@pytest.mark.parametrize(
    "handed_over",
    [
        lambda path: path,
        lambda path: zarr.open_array(LocalStore(path), mode="r"),
        lambda path: zarr.open_array(LocalStore(Path(path.name)), mode="r"),
        lambda path: da.from_zarr(str(path)),
        lambda path: da.from_array(zarr.open_array(LocalStore(path), mode="r"))[:, ::-1] * 2,
    ],
    ids=["path", "array", "relative", "dask", "computed"],
)
@pytest.mark.parametrize("name", ["in.zarr", "50%.zarr", "in%41.zarr", "cells#2.zarr"])
def test_overwriting_the_input(
    tmp_path: Path,
    tiled_image: Any,
    hashes: Any,
    monkeypatch: pytest.MonkeyPatch,
    handed_over: Callable[[Path], Any],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path / name
    zarr.create_array(LocalStore(store), data=np.ones((61, 47), np.uint16), chunks=(20, 30))
    before = hashes(store)
    image = tiled_image("YX", (61, 47), (24, 24), (8, 8))
    with open_stack(handed_over(store), "YX") as stack:
        for target in (store, Path(name)):
            with pytest.raises(ValueError, match="holds the input, which is never changed"):
                check_target(target, overwrite=True, source=(stack.source, *read_origins(stack)))
            writer = WriteTilesZarr(target, overwrite=True)
            with pytest.raises(ValueError, match="holds the input, which is never changed"):
                writer.open(image.run(source=stack.source, origins=read_origins(stack)))
        check_target(
            tmp_path / "out.zarr", overwrite=True, source=(stack.source, *read_origins(stack))
        )
    assert hashes(store) == before


def test_names_made_of_the_input_do_not_lead_back_to_it(tmp_path: Path, tiled_image: Any) -> None:
    store = tmp_path / "array_output.zarr"
    zarr.create_group(LocalStore(store)).create_array("0", data=np.ones((61, 47), np.float32))
    image = tiled_image("YX", (61, 47), (24, 24), (8, 8))
    writer = WriteTilesZarr(overwrite=True)
    writer.open(image.run(origins=(store / "0",)))
    with pytest.raises(ValueError, match="holds the input, which is never changed"):
        writer.write_batch(tmp_path, image.tiles())
    assert (zarr.open_array(LocalStore(store), path="0", mode="r")[:] == 1).all()
