"""What a file that is written at the end says of its run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from napari_tessera import load_model, open_stack, plan_prediction, predict, predict_to_disk
from napari_tessera.prediction import Progress
from napari_tessera.prediction.written import Written
from napari_tessera.writing.convert import to_dtype
from napari_tessera.writing.files.ome_tiff import NAMESPACE
from napari_tessera.writing.places.lock import StoreBusyError

SETTINGS = {"patch_size": 64, "torch_threads": 1}


def told(path: Path) -> dict[str, Any]:
    """The run that an OME-TIFF tells of."""
    with tifffile.TiffFile(path) as tiff:
        assert tiff.ome_metadata is not None
        parsed = tifffile.xml2dict(tiff.ome_metadata)
    annotation = parsed["OME"]["StructuredAnnotations"]["MapAnnotation"]
    assert annotation["Namespace"] == NAMESPACE
    return {pair["K"]: pair.get("value") for pair in annotation["Value"]["M"]}


@pytest.mark.parametrize("memory_limit", [None, 0], ids=["in memory", "scratch"])
@pytest.mark.parametrize("area", [{}, {"C": 1}], ids=["all", "one channel"])
def test_it_is_finished_and_counts_what_was_clipped(
    tmp_path: Path, memory_limit: int | None, area: dict[str, int]
) -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, 1 / 9)
    model = load_model(layer.eval())
    image = np.random.default_rng(0).integers(0, 400, (2, 90, 110)).astype(np.uint16)
    stack = open_stack(image, "CYX")
    path = predict_to_disk(
        stack,
        model,
        tmp_path / "a.ome.tif",
        region=area,
        output_dtype="uint8",
        copy_channels=True,
        memory_limit=memory_limit,
        **SETTINGS,
    )
    said = told(path)
    _, clipped = to_dtype(predict(stack, model, region=area, **SETTINGS), np.dtype(np.uint8))
    if area:
        clipped += int((image[0] > 255).sum())
    assert clipped > 0
    assert int(said["clipped_pixels"]) == clipped
    assert said["finished"].endswith("+00:00")
    assert "state" not in said
    plan = plan_prediction(stack, model, region=area, output_dtype="uint8", **SETTINGS)
    assert said["fingerprint"] == plan.fingerprint
    assert json.loads(said["plan"]) == plan.to_dict()


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.npy"])
@pytest.mark.parametrize("axes", ["TCZYX", "CZYX", "ZYXC"])
def test_what_is_said_of_a_file_is_how_it_lies_there(tmp_path: Path, name: str, axes: str) -> None:
    sizes = {"T": 2, "C": 3, "Z": 4, "Y": 40, "X": 50}
    image = np.zeros([sizes[letter] for letter in axes], np.float32)
    written: list[Written] = []
    path = predict_to_disk(
        open_stack(image, axes),
        load_model(nn.Conv2d(1, 1, 3, padding=1).eval()),
        tmp_path / name,
        written=written.append,
        **SETTINGS,
    )
    (said,) = written
    if name.endswith(".npy"):
        found = axes, np.load(path).shape, "float32"
    else:
        with tifffile.TiffFile(path) as tiff:
            series = tiff.series[0]
            found = series.axes, series.shape, str(series.dtype)
    assert (said.axes, said.shape, said.dtype) == found


class Counting(nn.Module):
    """A network that counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return pixels


@pytest.mark.parametrize("memory_limit", [None, 0], ids=["in memory", "scratch"])
def test_of_two_runs_into_one_file_the_second_is_refused_before_it_predicts(
    tmp_path: Path, memory_limit: int | None
) -> None:
    network = Counting()
    stack = open_stack(np.zeros((90, 110), np.float32), "YX")
    plan = plan_prediction(stack, network, **SETTINGS)
    path = tmp_path / "a.tif"
    refused = []

    def second(_: Progress) -> None:
        asked = network.asked
        with pytest.raises(StoreBusyError, match=r"a\.tif is being written by .*wait or choose"):
            predict_to_disk(stack, network, path, plan=plan, memory_limit=memory_limit)
        refused.append(network.asked - asked)

    predict_to_disk(stack, network, path, plan=plan, progress=second, memory_limit=memory_limit)
    assert set(refused) == {0}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]
