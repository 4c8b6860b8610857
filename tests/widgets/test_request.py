"""What the dock asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari.layers import Image

from napari_tessera.widgets.request import EVERYTHING, RunRequest, SaveTarget


def test_equal_settings_are_equal() -> None:
    layer = Image(np.zeros((4, 4)))
    save = SaveTarget(Path("a.ome.zarr"))
    assert RunRequest((layer,), save=save) == RunRequest([layer], save=save)  # type: ignore[arg-type]
    assert RunRequest((layer,), area=EVERYTHING) != RunRequest((layer,))
    assert RunRequest((Image(np.zeros((4, 4))),)) != RunRequest((layer,))


def test_one_layer_is_saved_as_named_and_several_each_beside_it() -> None:
    target = SaveTarget(Path("out/cells.ome.zarr"))
    assert target.for_layer("GFP", 1) == Path("out/cells.ome.zarr")
    assert target.for_layer("GFP", 2) == Path("out/cells_GFP.ome.zarr")
    assert target.for_layer("a/b: c [1]", 2) == Path("out/cells_a_b_ c [1].ome.zarr")
    assert SaveTarget(Path("x.zarr")).for_layer("GFP", 2) == Path("x_GFP.zarr")


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"cells\.tif is no Zarr name: let it end in \.ome\.zarr"):
        SaveTarget(Path("cells.tif"))
    with pytest.raises(ValueError, match="if_exists 'maybe' is none of ask, rename"):
        SaveTarget(Path("a.zarr"), if_exists="maybe")
    with pytest.raises(ValueError, match="area 'Half' is none of What I see"):
        RunRequest((), area="Half")
