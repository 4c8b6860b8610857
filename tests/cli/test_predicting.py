"""``napari-tessera predict``: real files in, real files out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr

Command = Callable[..., Any]
WORD = "napari_tessera.cli"


def pixels_of(store: Path) -> np.ndarray:
    return np.asarray(zarr.open_group(store, mode="r")["0"][...])


def blurred(image: np.ndarray) -> np.ndarray:
    """3×3 means with mirrored borders, as the blur model and the engine's padding make them."""
    padded = np.pad(image.astype(np.float64), [(0, 0)] * (image.ndim - 2) + [(1, 1)] * 2)
    height, width = image.shape[-2:]
    return sum(padded[..., i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9


def test_tiff_in_ome_zarr_out(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ome.zarr"
    outcome = command("predict", volume, output, "--model", blur_model, "--progress", "none")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{output}: ZYX 3×70×90 float32, 3 tiles in ")
    image = tifffile.imread(volume)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(pixels_of(output)[inner], blurred(image)[inner], rtol=1e-5)
    multiscale = zarr.open_group(output, mode="r").attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in multiscale["axes"]] == ["z", "y", "x"]
    assert {axis["unit"] for axis in multiscale["axes"]} == {"micrometer"}
    scale = multiscale["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale == pytest.approx([1.5, 0.25, 0.25])


def test_tiff_out(command: Command, volume: Path, blur_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.ome.tif"
    outcome = command("predict", volume, output, "-m", blur_model, "--output-dtype", "input")
    assert outcome.status == 0, outcome.err
    written = tifffile.imread(output)
    assert written.dtype == np.uint16
    assert written.shape == (3, 70, 90)


def test_every_option_reaches_the_engine(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    source, output = tmp_path / "in.tif", tmp_path / "out.zarr"
    tifffile.imwrite(source, picture((2, 3, 64, 80), np.uint8), photometric="minisblack")
    outcome = command(
        "predict", source, output, "-m", blur_model,
        "--axes", "TCYX", "--channels", "2,0", "--patch-size", "32,48", "--overlaps", "8,8",
        "--batch-size", "2", "--threads", "2", "--device", "cpu", "--precision", "float32",
        "--blending", "linear",
        "--normalization", "series", "--statistics", "exact", "--tta", "mean",
        "--region", "T=1", "--output-dtype", "input",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    plan = zarr.open_group(output, mode="r").attrs["napari_tessera"]["plan"]
    decided = plan["fingerprint_of"]
    assert decided["input_axes"] == "TCYX"
    assert decided["input_shape"] == [2, 2, 64, 80]
    assert decided["patch_size"] == [32, 48]
    assert decided["overlaps"] == [8, 8]
    assert decided["precision"] == "float32"
    assert decided["blending"] == "linear"
    assert decided["tta"] == "mean"
    assert decided["normalization"]["kind"] == "series"
    assert decided["normalization"]["measured"] == "exact"
    assert decided["output_dtype"] == "uint8"
    assert plan["settings"]["batch_size"] == 2
    assert plan["settings"]["torch_threads"] == 2
    result = pixels_of(output)
    assert result.shape == (1, 2, 64, 80)
    assert result.dtype == np.uint8
    expected = blurred(tifffile.imread(source)[1:, [2, 0]])[..., 1:-1, 1:-1]
    np.testing.assert_allclose(result[..., 1:-1, 1:-1], expected, atol=0.51)


def test_the_spread_over_flips_and_turns(
    command: Command,
    volume: Path,
    save_torchscript: Callable[[torch.nn.Module, str], Path],
    tmp_path: Path,
) -> None:
    """A mean of three neighbours above each other: turned, it is one of three beside each other."""
    layer = torch.nn.Conv2d(1, 1, (3, 1), padding=(1, 0), bias=False)
    torch.nn.init.constant_(layer.weight, 1 / 3)
    output = tmp_path / "out.ome.zarr"
    outcome = command(
        "predict", volume, output, "-m", save_torchscript(layer, "upright.pt"),
        "--tta", "disagreement", "--normalization", "none", "--region", "Z=1",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    image = tifffile.imread(volume)[1].astype(float)
    upright = (image[:-2] + image[1:-1] + image[2:])[:, 1:-1] / 3
    lying = (image[:, :-2] + image[:, 1:-1] + image[:, 2:])[1:-1] / 3
    spread = pixels_of(output)[0, 1:-1, 1:-1]
    np.testing.assert_allclose(spread, np.abs(upright - lying) / 2, atol=1e-3)


class TestOneModelPerChannel:
    @pytest.fixture
    def coloured(self, tmp_path: Path, picture: Callable[..., Any]) -> Path:
        path = tmp_path / "coloured.tif"
        tifffile.imwrite(path, picture((3, 48, 56)), photometric="minisblack")
        return path

    @pytest.fixture
    def factor(
        self, save_torchscript: Callable[[torch.nn.Module, str], Path]
    ) -> Callable[[float], Path]:
        """A model that multiplies by a number."""

        def make(number: float) -> Path:
            layer = torch.nn.Conv2d(1, 1, 1, bias=False)
            torch.nn.init.constant_(layer.weight, number)
            return save_torchscript(layer, f"times{number:g}.pt")

        return make

    def test_each_channel_has_its_own(
        self, command: Command, coloured: Path, factor: Callable[[float], Path], tmp_path: Path
    ) -> None:
        output = tmp_path / "out.ome.zarr"
        outcome = command(
            "predict", coloured, output, "--axes", "CYX", "--normalization", "none",
            "-m", f"0={factor(2)}", "-m", f"2={factor(5)}",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        image = tifffile.imread(coloured).astype(np.float32)
        expected = np.stack([2 * image[0], 5 * image[2]])
        np.testing.assert_allclose(pixels_of(output), expected, rtol=1e-5)

    def test_channels_are_those_of_the_image(
        self, command: Command, coloured: Path, factor: Callable[[float], Path], tmp_path: Path
    ) -> None:
        output = tmp_path / "out.ome.zarr"
        words = ["predict", coloured, output, "--axes", "CYX", "--normalization", "none"]
        models = ["-m", f"2={factor(5)}", "-m", f"1={factor(2)}"]
        outcome = command(*words, "--channels", "2,1", *models)
        assert outcome.status == 0, outcome.err
        image = tifffile.imread(coloured).astype(np.float32)
        np.testing.assert_allclose(
            pixels_of(output), np.stack([5 * image[2], 2 * image[1]]), rtol=1e-5
        )
        outcome = command(*words, "--channels", "2,0", *models, "--overwrite")
        assert outcome.status == 1
        assert "a model is given for channel 1, and --channels takes 2,0" in outcome.line


def test_what_a_model_warns_of_is_told_once(
    command: Command, volume: Path, package: Callable[..., Path], tmp_path: Path
) -> None:
    outcome = command(
        "predict", volume, tmp_path / "out.ome.zarr", "-m", package(wrong=5.0), "--region", "Z=0"
    )
    assert outcome.status == 0, outcome.err
    assert outcome.line.startswith("napari-tessera: warning: ")
    assert "own test fails by 5" in outcome.line


def test_seams_are_told_in_grey_levels(command: Command, volume: Path, tmp_path: Path) -> None:
    outcome = command(
        "predict", volume, tmp_path / "out.ome.zarr", "-m", "builtin:denoise2d", "--region", "Z=0",
        "--patch-size", "48,48", "--overlaps", "8,8",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    lines = outcome.err.splitlines()
    assert len(lines) == 1
    for line in lines:
        assert re.match(r"napari-tessera: warning: overlaps Y 8 and X 8 are ", line)
        assert "39 px" in line
        assert re.search(r"expect seams of about [\d.]+ grey levels$", line)


def test_a_plan_is_followed(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / f"{name}.ome.zarr" for name in ("a", "b", "c"))
    assert command("predict", volume, first, "-m", blur_model, "--patch-size", "32").status == 0
    stored = zarr.open_group(first, mode="r").attrs["napari_tessera"]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(stored["plan"]))
    for output, source in ((second, plan), (third, first)):
        outcome = command(
            "predict", volume, output, "-m", blur_model, "--plan", source, "--batch-size", "3",
            "--threads", "1",
        )  # fmt: skip
        assert outcome.status == 0, outcome.err
        again = zarr.open_group(output, mode="r").attrs["napari_tessera"]
        assert again["fingerprint"] == stored["fingerprint"]
        assert again["plan"]["settings"]["batch_size"] == 3
        assert again["plan"]["settings"]["torch_threads"] == 1
        np.testing.assert_allclose(pixels_of(output), pixels_of(first), rtol=1e-5)


def test_resuming_what_is_done_changes_nothing(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ome.zarr"
    words = ("predict", volume, output, "-m", blur_model, "--resume")
    first = command(*words)
    assert first.status == 0
    # said once, and no error: scripts resume always
    assert first.line.endswith(f"there is no run in {output} to go on with: it begins anew")
    before = {path: path.stat().st_mtime_ns for path in output.rglob("c/**/*")}
    assert before
    outcome = command(*words)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == f"{output}: ZYX 3×70×90 float32, 3 tiles done before\n"
    assert {path: path.stat().st_mtime_ns for path in output.rglob("c/**/*")} == before


def test_json_lines(command: Command, volume: Path, blur_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.ome.zarr"
    outcome = command(
        "predict", volume, output, "-m", blur_model, "--patch-size", "64,64", "--progress", "json"
    )
    events = [json.loads(line) for line in outcome.err.splitlines()]
    assert events[0]["event"] == "planned"
    assert events[0]["patch_size"] == [64, 64]
    total = events[0]["tiles"]
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == total
    assert set(progress[-1]["stage_seconds"]) == {"read", "model", "write"}
    assert events[-1]["event"] == "finished"
    assert events[-1]["path"] == str(output)
    assert len(outcome.out.splitlines()) == 1


def test_json_errors(command: Command, tmp_path: Path) -> None:
    outcome = command(
        "predict", tmp_path / "none.tif", tmp_path / "o.zarr", "-m", "m", "--progress", "json"
    )
    assert outcome.status == 1
    event = json.loads(outcome.line)
    assert event["event"] == "error"
    assert "none.tif" in event["message"]


@pytest.mark.parametrize("progress", ["json", "none"])
def test_absent_chunks_are_told(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any], progress: str
) -> None:
    source, output = tmp_path / "in.zarr", tmp_path / "out.ome.zarr"
    array = zarr.create_array(source, shape=(64, 64), chunks=(32, 32), dtype="u2", fill_value=50)
    array[:32] = picture((32, 64))
    outcome = command("predict", source, output, "-m", blur_model, "--progress", progress)
    assert outcome.status == 0
    told = f"2 chunks of {source} are not in the store and were read as the fill value 50"
    if progress == "none":
        assert outcome.line == f"napari-tessera: warning: {told}"
        return
    events = [json.loads(line) for line in outcome.err.splitlines()]
    assert {"event": "warning", "message": told} in events
    assert [event["absent_chunks"] for event in events if event["event"] == "progress"][-1] == 2
    assert events[-1]["event"] == "finished"
    assert events[-1]["absent_chunks"] == 2


def test_not_finite_pixels_stay_local_and_are_counted(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any]
) -> None:
    image = picture((64, 64), np.float32)
    image[10, 20], image[40, 50] = np.nan, np.inf
    source, output = tmp_path / "in.tif", tmp_path / "out.ome.zarr"
    tifffile.imwrite(source, image)
    outcome = command("predict", source, output, "-m", blur_model)
    assert outcome.status == 0
    assert any("2 " in line and "NaN" in line for line in outcome.err.splitlines())
    assert all(line.startswith("napari-tessera: warning: ") for line in outcome.err.splitlines())
    finite = np.isfinite(pixels_of(output))
    assert finite.sum() == finite.size - 2
    assert not finite[10, 20]
    assert not finite[40, 50]


def test_the_real_command_on_a_real_image(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "multidim" / "xyzct-mitosis.tif"
    output = tmp_path / "out.ome.zarr"
    words = ["predict", source, output, "-m", "builtin:denoise2d", "--region", "T=1,Z=2:4"]
    ended = subprocess.run(
        [sys.executable, "-c", f"from {WORD} import main; main()", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"{output}: TCZYX 1×2×2×196×171 float32")
    assert np.isfinite(pixels_of(output)).all()


@pytest.mark.parametrize(
    ("name", "axes", "shape"),
    [
        ("out.ome.zarr", "TCYX", (2, 3, 40, 50)),
        ("out.ome.zarr.zip", "TCYX", (2, 3, 40, 50)),
        ("out.ome.tif", "TCYX", (2, 3, 40, 50)),
        ("out.tif", "TCYX", (2, 3, 40, 50)),
        ("out.npy", "YXCT", (40, 50, 3, 2)),
    ],
)
def test_the_last_line_tells_what_is_on_disk_and_what_was_clipped(
    command: Command,
    save_torchscript: Callable[[torch.nn.Module, str], Path],
    tmp_path: Path,
    name: str,
    axes: str,
    shape: tuple[int, ...],
) -> None:
    image = np.random.default_rng(0).integers(100, 200, (40, 50, 3, 2)).astype(np.uint8)
    np.save(tmp_path / "in.npy", image)
    network = torch.nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        torch.nn.init.constant_(network.weight, 2)
        torch.nn.init.zeros_(network.bias)  # type: ignore[arg-type]
    model = save_torchscript(network, "twice.pt")
    options = ["--axes", "YXCT", "--channels", "1", "--copy-channels", "--output-dtype", "input"]
    options += ["--normalization", "none", "--progress", "json"]
    outcome = command("predict", tmp_path / "in.npy", tmp_path / name, "-m", model, *options)
    assert outcome.status == 0, outcome.err
    clipped = int((image[:, :, 1].astype(int) * 2 > 255).sum())
    text = "×".join(map(str, shape))
    assert outcome.out.startswith(f"{tmp_path / name}: {axes} {text} uint8, ")
    assert outcome.out.endswith(f", {clipped} pixels clipped\n")
    finished = json.loads(outcome.err.splitlines()[-1])
    assert (finished["shape"], finished["clipped_pixels"]) == (list(shape), clipped)
    if name == "out.ome.tif":
        assert tifffile.imread(tmp_path / name).shape == shape
