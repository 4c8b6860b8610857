"""``napari-tessera predict``: real files in, real files out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
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
        "--batch-size", "2", "--device", "cpu", "--precision", "float32", "--blending", "crop",
        "--normalization", "series", "--region", "T=1", "--output-dtype", "input",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    plan = zarr.open_group(output, mode="r").attrs["napari_tessera"]["plan"]
    decided = plan["fingerprint_of"]
    assert decided["input_axes"] == "TCYX"
    assert decided["input_shape"] == [2, 2, 64, 80]
    assert decided["patch_size"] == [32, 48]
    assert decided["overlaps"] == [8, 8]
    assert decided["precision"] == "float32"
    assert decided["blending"] == "crop"
    assert decided["normalization"]["kind"] == "series"
    assert decided["output_dtype"] == "uint8"
    assert plan["settings"]["batch_size"] == 2
    result = pixels_of(output)
    assert result.shape == (1, 2, 64, 80)
    assert result.dtype == np.uint8
    expected = blurred(tifffile.imread(source)[1:, [2, 0]])[..., 1:-1, 1:-1]
    np.testing.assert_allclose(result[..., 1:-1, 1:-1], expected, atol=0.51)


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
            "predict", volume, output, "-m", blur_model, "--plan", source, "--batch-size", "3"
        )
        assert outcome.status == 0, outcome.err
        again = zarr.open_group(output, mode="r").attrs["napari_tessera"]
        assert again["fingerprint"] == stored["fingerprint"]
        assert again["plan"]["settings"]["batch_size"] == 3
        np.testing.assert_allclose(pixels_of(output), pixels_of(first), rtol=1e-5)


def test_resuming_what_is_done_changes_nothing(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.ome.zarr"
    words = ("predict", volume, output, "-m", blur_model, "--resume")
    assert command(*words).status == 0
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
    assert ended.stdout.startswith(f"{output}: TZCYX 1×2×2×196×171 float32")
    assert np.isfinite(pixels_of(output)).all()


@pytest.fixture
def long_run(tmp_path: Path, picture: Callable[..., Any]) -> list[str]:
    """Words of a run of 48 tiles, each a few hundredths of a second long."""
    source = tmp_path / "long.tif"
    tifffile.imwrite(source, picture((12, 200, 200)), metadata={"axes": "ZYX"}, imagej=True)
    return [
        "predict", str(source), str(tmp_path / "out.ome.zarr"), "-m", "builtin:denoise2d",
        "--patch-size", "128,128", "--device", "cpu", "--progress", "json",
    ]  # fmt: skip


def start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"from {WORD} import main; main()", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def interrupted(words: list[str], signum: signal.Signals) -> tuple[int, list[dict[str, Any]]]:
    """Send a signal when the first tile is done; exit status and the events that followed."""
    process = start(words)
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["event"] == "progress":
            process.send_signal(signum)
            break
    _, rest = process.communicate()
    return process.returncode, [json.loads(line) for line in rest.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_stops_in_good_order_and_resume_goes_on(
    long_run: list[str], tmp_path: Path, signum: signal.Signals, status: int
) -> None:
    returned, events = interrupted(long_run, signum)
    assert returned == status
    assert "stopping" in [event["event"] for event in events]
    last = events[-1]
    assert last["event"] == "stopped"
    assert 0 < last["done"] < last["total"] == 48
    assert f"{last['done']} of 48 tiles" in last["message"]
    assert "--resume" in last["message"]
    store = tmp_path / "out.ome.zarr"
    assert zarr.open_group(store, mode="r").attrs["napari_tessera"]["completed"] is False
    assert np.isnan(pixels_of(store)).any()
    assert np.isfinite(pixels_of(store)).any()

    again = start([*long_run, "--resume"])
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    first = json.loads(errors.splitlines()[1])
    assert first["done"] >= last["done"]
    whole = [word.replace("out.ome.zarr", "whole.ome.zarr") for word in long_run]
    unstopped = start(whole)
    unstopped.communicate()
    assert unstopped.returncode == 0
    np.testing.assert_array_equal(pixels_of(store), pixels_of(tmp_path / "whole.ome.zarr"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without signals")
def test_an_interrupted_tiff_leaves_nothing(long_run: list[str], tmp_path: Path) -> None:
    words = [word.replace("out.ome.zarr", "out.tif") for word in long_run]
    returned, events = interrupted(words, signal.SIGINT)
    assert returned == 130
    assert "nothing was written" in events[-1]["message"]
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_before_the_first_tile_leaves_nothing(
    command: Command,
    volume: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signum: signal.Signals,
    status: int,
) -> None:
    def load_model(*arguments: Any, **settings: Any) -> None:
        signal.raise_signal(signum)

    monkeypatch.setattr("napari_tessera.models.load_model", load_model)
    outcome = command("predict", volume, tmp_path / "out.ome.zarr", "-m", "builtin:denoise2d")
    assert outcome.status == status
    assert "nothing was written" in outcome.line
    assert not (tmp_path / "out.ome.zarr").exists()
