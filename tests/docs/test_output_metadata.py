"""The page on stored metadata names each key of real results, and no others."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
import zarr

from napari_tessera import cli, open_stack, predict, predict_to_disk
from napari_tessera.prediction.several import REPORT_NAME, FileEntry
from napari_tessera.writing import WriteTilesZarr
from napari_tessera.writing.files.ome_tiff import NAMESPACE
from napari_tessera.writing.places.heartbeat import HEARTBEAT
from napari_tessera.writing.stored.block_ledger import BLOCKS_NAME
from napari_tessera.writing.stored.ending import PARTIAL_LEVELS
from napari_tessera.writing.stored.run_attributes import BLOCKS

from .files import Files
from .pages import ROOT

SAVED = "napari_tessera"


def same(x: Any) -> Any:
    return x


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "reference" / "output-metadata.md").read_text("utf-8")


def keys(page: str, heading: str, number: int = 0) -> set[str]:
    """What the first column of a table below a heading names."""
    text = page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    rows = tables[number].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def stopped(path: str, image: Any, **settings: Any) -> None:
    """Stop a run after its first tile."""
    stop = threading.Event()
    predict_to_disk(
        image, same, path, patch_size=32, progress=lambda _: stop.set(), cancel=stop, **settings
    )


@pytest.fixture
def image(in_folder: Path) -> Path:
    pixels = np.random.default_rng(0).poisson(100, (140, 150)).astype(np.uint8)
    path = in_folder / "in.tif"
    tifffile.imwrite(path, pixels)
    return path


def test_the_attribute_of_a_store(page: str, image: Path) -> None:
    inside = [[(0, 0), (0, 40), (40, 0)]]
    predict_to_disk(image, same, "a.ome.zarr", patch_size=32, inside=inside)
    group = zarr.open_group("a.ome.zarr", mode="r")
    told: Any = group.attrs[SAVED]
    stopped("b.ome.zarr", image, output_dtype="input")
    other = zarr.open_group("b.ome.zarr", mode="r")
    assert other.attrs[SAVED]["state"] == "stopped"
    # kept only while many processes write, and of pyramids
    elsewhere = {BLOCKS, PARTIAL_LEVELS}
    assert keys(page, "OME-Zarr") == set(told) | elsewhere
    assert set(other.attrs[SAVED]) <= keys(page, "OME-Zarr")
    beside = {*other.array_keys()} - {"0"}
    assert keys(page, "OME-Zarr", 1) == beside | {BLOCKS_NAME, HEARTBEAT}
    assert set(group.array_keys()) == {"0", "tessera_ledger"}
    assert set(told["input"]) == {"source", "axes", "shape", "dtype", "fingerprint", "files"}
    assert set(told["model"]) == {"name", "sha256", "licence"}
    assert set(told["versions"]) == {"napari-tessera", "python", "numpy", "torch", "zarr"}
    for inner in (*told["input"], *told["model"], *told["versions"]):
        assert f"`{inner}`" in page
    assert set(group["tessera_ledger"][:].tolist()) == {1, 2}


def test_the_attribute_of_an_array(page: str, image: Path) -> None:
    stack = open_stack(image)
    predict(stack, same, patch_size=32, writers=[(WriteTilesZarr(), Path("arrays"))])
    told = [array.attrs.asdict()[SAVED] for array in arrays(Path("arrays"))]
    row = page.split("`WriteTilesZarr` writes", 1)[1].split("\n\n", 1)[0]
    described = {"scale", "units", "translation", "channel_names"}
    assert described <= set(re.findall(r"`(\w+)`", row))
    assert len(told) == 1
    assert set(told[0]) <= keys(page, "OME-Zarr") | described
    assert set(told[0]) & described


def arrays(folder: Path) -> Iterator[zarr.Array[Any]]:
    for path in folder.glob("*.zarr"):
        yield from (node for _, node in zarr.open_group(path, mode="r").arrays())


def test_the_annotation_of_a_tiff(page: str, image: Path) -> None:
    predict_to_disk(image, same, "a.ome.tif", patch_size=32)
    with tifffile.TiffFile("a.ome.tif") as tiff:
        root = ElementTree.fromstring(tiff.ome_metadata or "")
    (note,) = root.iterfind(".//{*}MapAnnotation")
    assert note.get("Namespace") == NAMESPACE
    assert NAMESPACE in page
    values = {entry.get("K"): entry.text or "" for entry in note.iterfind(".//{*}M")}
    assert set(values) == keys(page, "OME-TIFF")
    assert json.loads(values["plan"])["fingerprint_of"]["output_dtype"] == "float32"


def test_the_report_of_many_images(page: str, image: Path, ready_files: Files) -> None:
    ready_files.prepare("net.pt")
    assert cli.run(["predict", "*.tif", "OUT/", "--model", "net.pt"]) == 0
    report = json.loads((Path("OUT") / REPORT_NAME).read_text("utf-8"))
    assert set(report) == keys(page, "The report of many images")
    (entry,) = report["files"]
    assert set(entry) == keys(page, "The report of many images", 1)
    assert set(entry) == {each.name for each in fields(FileEntry)}
    assert report["program"] == "napari-tessera"
    row = next(line for line in page.splitlines() if line.startswith("| `run` |"))
    assert set(re.findall(r"`(\w+)`", row)) == {"run", *report["run"]}


def test_the_events_of_training(page: str, image: Path, capfd: pytest.CaptureFixture[str]) -> None:
    small = ["--steps", "4", "--features", "4", "--depth", "1", "--patch-size", "16,16"]
    words = ["train", str(image), "net.safetensors", *small, "--progress", "json"]
    assert cli.run(words) == 0
    told = dict(events(capfd.readouterr().err))
    assert {"planned", "progress", "finished"} <= told.keys()
    for name in ("planned", "progress"):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert set(re.findall(r"`(\w+)`", row)) == {name, *told[name]}


def events(printed: str) -> Iterator[tuple[str, set[str]]]:
    for line in printed.splitlines():
        event = json.loads(line)
        yield event.pop("event"), set(event)


def test_the_metadata_of_layers(page: str) -> None:
    output_layer = pytest.importorskip("napari_tessera.widgets.output_layer")
    known = {output_layer.PLAN_KEY, output_layer.INPUT_KEY, output_layer.PREVIEW_KEY}
    assert keys(page, "Layers of napari") == known
    for key in (output_layer.OUTPUT_KEY, output_layer.GUIDE_KEY, "napari_tessera_meaning"):
        assert f"`{key}`" in page
