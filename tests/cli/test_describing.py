"""``napari-tessera info``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from torch import nn

from napari_tessera import predict_to_disk
from napari_tessera.cli.describing import as_text, describe_stack
from napari_tessera.metadata import ImageMetadata
from napari_tessera.prediction import Progress
from napari_tessera.stacks import ArrayStack, open_stack
from napari_tessera.writing import read_unfinished, write_ome_zarr

Command = Callable[..., Any]


def test_says_what_a_file_is(command: Command, volume: Path) -> None:
    outcome = command("info", volume)
    assert (outcome.status, outcome.err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in outcome.out.splitlines())
    assert lines["axes"] == "ZYX"
    assert lines["shape"] == "3 × 70 × 90"
    assert lines["dtype"] == "uint16"
    assert "Z 1.5 micrometer, Y 0.25 micrometer, X 0.25 micrometer" in outcome.out


def test_says_it_in_json(command: Command, volume: Path) -> None:
    outcome = command("info", volume, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    facts = json.loads(outcome.out)
    assert facts["source"] == str(volume)
    assert facts["axes"] == "ZYX"
    assert facts["shape"] == [3, 70, 90]
    assert facts["dtype"] == "uint16"
    assert facts["bytes"] == 3 * 70 * 90 * 2
    assert facts["scale"] == pytest.approx([1.5, 0.25, 0.25])
    assert facts["units"] == ["micrometer"] * 3


def test_axes_given_win(command: Command, volume: Path) -> None:
    assert json.loads(command("info", volume, "--axes", "TYX", "--json").out)["axes"] == "TYX"


def test_chunks_of_a_zarr_array(command: Command, tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "image.zarr", shape=(4, 64, 64), chunks=(1, 32, 64), dtype="uint8"
    )
    array[:] = 7
    outcome = command("info", tmp_path / "image.zarr", "--json")
    assert outcome.status == 0
    assert json.loads(outcome.out)["chunks"] == [1, 32, 64]


@pytest.mark.parametrize("shards", [None, (2, 64, 64)])
def test_absent_chunks(command: Command, tmp_path: Path, shards: Any) -> None:
    array = zarr.create_array(
        tmp_path / "image.zarr",
        shape=(4, 64, 64),
        chunks=(1, 32, 64),
        shards=shards,
        dtype="uint8",
        fill_value=5,
    )
    array[:2] = 7
    absent, text = (4, "4 chunks") if shards is None else (1, "1 chunk")
    facts = json.loads(command("info", tmp_path / "image.zarr", "--json").out)
    assert (facts["absent_chunks"], facts["fill_value"]) == (absent, "5")
    assert f"absent     {text} (read as 5)\n" in command("info", tmp_path / "image.zarr").out
    array[:] = 7
    assert json.loads(command("info", tmp_path / "image.zarr", "--json").out)["absent_chunks"] == 0
    assert "\nabsent" not in command("info", tmp_path / "image.zarr").out


def test_strips_without_bytes(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib", rowsperstrip=16)
    assert "absent" not in command("info", path).out
    with tifffile.TiffFile(path, mode="r+") as file:
        tags = file.pages.first.tags
        tags["StripOffsets"].overwrite((*tags["StripOffsets"].value[:3], 0))
    assert "\nabsent     1 strip (read as 0)\n" in command("info", path).out
    facts = json.loads(command("info", path, "--json").out)
    assert (facts["absent_chunks"], facts["absent_name"]) == (1, "strip")


def test_alpha_that_is_left_out(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    colours = np.zeros((64, 64, 4), np.uint8)
    tifffile.imwrite(path, colours, photometric="rgb", extrasamples=["unassalpha"])
    outcome = command("info", path)
    assert outcome.status == 0
    assert "\nleft out   channel 3 (alpha)\n" in f"{outcome.out}\n"
    assert outcome.line.endswith(
        "image.tif: channel 3 is alpha and left out; channels 0,1,2,3 take it in"
    )
    assert json.loads(command("info", path, "--json").out)["left_out_channels"] == [3]
    out = tmp_path / "out.zarr"
    told = command("predict", path, out, "--model", "builtin:denoise2d", "--progress", "none")
    assert told.status == 0
    assert told.err.count("channel 3 is alpha and left out") == 1


def test_one_of_several_images(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "image.tif"
    with tifffile.TiffWriter(path) as file:
        for size in (20, 30, 40):
            file.write(np.zeros((size, 50), np.uint8), metadata=None)
    assert "image      1 of 3 (others: #0…#2 behind the path)" in command("info", path).out
    second = json.loads(command("info", f"{path}#1", "--json").out)
    assert (second["series"], second["n_series"], second["shape"]) == (1, 3, [30, 50])
    wrong = command("info", f"{path}#3")
    assert (wrong.status, wrong.out) == (1, "")
    assert "image 3 is outside 0…2; it holds 0: YX 20×50 uint8; 1: YX 30×50" in wrong.err


@pytest.fixture
def begun(blur_model: Path, volume: Path, tmp_path: Path) -> Callable[[str], tuple[Path, int]]:
    """Begin a run into a place, and stop it after some of its 18 tiles: the place, and how many."""

    def begin(name: str) -> tuple[Path, int]:
        cancel, place = Event(), tmp_path / name
        states: list[Progress] = []

        def stop(state: Progress) -> None:
            states.append(state)
            if state.done >= 3:
                cancel.set()

        predict_to_disk(
            str(volume), str(blur_model), place, patch_size=40, overlaps=2, batch_size=1,
            torch_threads=1, progress=stop, cancel=cancel,
        )  # fmt: skip
        assert states[-1].total == 18
        return place, states[-1].done

    return begin


def test_a_result_that_is_not_finished(
    command: Command, begun: Callable[[str], tuple[Path, int]], volume: Path, blur_model: Path
) -> None:
    place, done = begun("out.ome.zarr")
    told = f"{done} of 18 tiles are done; the predict command that began it goes on with --resume"
    for name in (place, place / "0", place.as_uri()):
        assert f"\nunfinished {told}\n" in command("info", name).out
    facts = json.loads(command("info", place, "--json").out)
    assert facts["unfinished"] == {
        "tiles_done": done, "tiles": 18, "state": "stopped", "resumable": True
    }  # fmt: skip
    group = zarr.open_group(place)
    group.attrs["napari_tessera"] = {**group.attrs["napari_tessera"], "state": "writing"}  # type: ignore[dict-item]
    told = f"{done} of 18 tiles are done by a run that goes on, or was killed; the predict command"
    assert told in command("info", place).out
    words = ("predict", volume, place, "-m", blur_model, "--resume", "--threads", "1")
    finished = command(*words)
    assert finished.status == 0, finished.err
    assert f", 18 tiles ({done} of them before) in " in finished.out
    assert "unfinished" not in command("info", place).out
    assert json.loads(command("info", place, "--json").out)["unfinished"] is None
    assert "18 tiles done before" in command(*words).out


def test_a_packed_result_that_is_not_finished(
    command: Command, begun: Callable[[str], tuple[Path, int]]
) -> None:
    place, done = begun("out.ome.zarr.zip")
    told = f"{done} of 18 tiles are done, and cannot be gone on with (only a .ome.zarr folder can)"
    assert f"\nunfinished {told}\n" in command("info", place).out


def test_axes_that_were_guessed(
    command: Command, volume: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    pixels = picture((5, 40, 50))
    np.save(tmp_path / "in.npy", pixels)
    tifffile.imwrite(tmp_path / "plain.tif", pixels, photometric="minisblack")
    zarr.create_array(tmp_path / "plain.zarr", data=pixels)
    zarr.create_array(tmp_path / "named.zarr", data=pixels, dimension_names=["time", "y", "x"])
    np.save(tmp_path / "plane.npy", pixels[0])
    words = "guessed from the shape: give --axes where they are others"
    for name in ("in.npy", "plain.tif", "plain.zarr"):
        assert f"axes       ZYX ({words})\n" in command("info", tmp_path / name).out
        assert json.loads(command("info", tmp_path / name, "--json").out)["axes_guessed"]
    told = command("info", tmp_path / "in.npy", "--axes", "TYX").out
    assert "axes       TYX\n" in told
    for path in (tmp_path / "named.zarr", tmp_path / "plane.npy", volume):
        assert words not in command("info", path).out


def test_text_leaves_out_what_is_unknown(picture: Callable[..., Any]) -> None:
    facts = describe_stack(open_stack(picture((40, 50), np.float32)))
    assert facts["chunks"] is None
    text = as_text(facts)
    assert "chunks" not in text
    assert "pixel size" not in text
    assert "8 kB" in text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_400, "999 kB"),
        (999_999, "1 MB"),
        (2_010_960, "2.01 MB"),
        (3e12, "3 TB"),
        (2**66, "73.8 EB"),
        (10**27 - 10**25, "990 YB"),
        (10**400, "more than 999 YB"),
    ],
)
def test_sizes_are_readable(picture: Callable[..., Any], size: float, text: str) -> None:
    facts = describe_stack(open_stack(picture((4, 5)))) | {"bytes": int(size)}
    assert text in as_text(facts)


def test_an_image_larger_than_any_integer_of_numpy(command: Command, tmp_path: Path) -> None:
    zarr.create_array(
        tmp_path / "image.zarr", shape=(2**22,) * 3, chunks=(2**20,) * 3, dtype="uint8"
    )
    outcome = command("info", tmp_path / "image.zarr")
    assert (outcome.status, outcome.err) == (0, "")
    assert "\nsize       73.8 EB\n" in outcome.out
    assert json.loads(command("info", tmp_path / "image.zarr", "--json").out)["bytes"] == 2**66


def test_levels_and_position(command: Command, tmp_path: Path) -> None:
    image = np.zeros((64, 64), np.uint16)
    metadata = ImageMetadata("YX", (0.5, 0.5), ("micrometer",) * 2, (12.0, 0.0))
    path = write_ome_zarr(tmp_path / "a.ome.zarr", image, axes="YX", metadata=metadata)
    group = zarr.open_group(path)
    group.create_array("half", data=image[::2, ::2])
    ome = group.attrs["ome"]
    scale = [{"type": "scale", "scale": [1.0, 1.0]}]
    ome["multiscales"][0]["datasets"].append({"path": "half", "coordinateTransformations": scale})
    group.attrs["ome"] = ome
    out = command("info", path).out
    assert "\nlevels     2, the full size included\n" in out
    assert "\nposition   Y 12 micrometer\n" in out
    facts = json.loads(command("info", path, "--json").out)
    assert (facts["n_levels"], facts["translation"]) == (2, [12.0, 0.0])


def test_one_level_is_no_line(command: Command, volume: Path) -> None:
    out = command("info", volume).out
    assert "levels" not in out
    assert "position" not in out


def test_tiles_that_were_left_out_are_no_damage(command: Command, tmp_path: Path) -> None:
    mask = np.zeros((200, 200), bool)
    mask[:40, :40] = True
    path = predict_to_disk(
        ArrayStack(np.zeros((200, 200), np.uint16), "YX"),
        nn.Identity(),
        tmp_path / "a.ome.zarr",
        patch_size=64,
        chunks=64,
        inside=mask,
    )
    skipped = read_unfinished(path).skipped_tiles
    assert skipped > 1
    out = command("info", path).out
    assert "absent " in out
    assert f"skipped    {skipped} tiles lie outside the shapes or the mask" in out
    assert json.loads(command("info", path, "--json").out)["skipped_tiles"] == skipped


def test_missing_file_is_one_line(command: Command, tmp_path: Path) -> None:
    outcome = command("info", tmp_path / "none.tif")
    assert (outcome.status, outcome.out) == (1, "")
    assert "none.tif does not exist" in outcome.line


def test_debug_shows_the_traceback(command: Command, tmp_path: Path) -> None:
    outcome = command("info", tmp_path / "none.tif", "--debug")
    assert outcome.status == 1
    assert outcome.err.startswith("Traceback")
    assert "none.tif does not exist" in outcome.err.splitlines()[-1]


def test_real_images(command: Command, shared: Path) -> None:
    outcome = command("info", shared / "data" / "multidim" / "xyzct-mitosis.tif", "--json")
    facts = json.loads(outcome.out)
    assert facts["axes"] == "TZCYX"
    assert facts["shape"] == [3, 5, 2, 196, 171]
