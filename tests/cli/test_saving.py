"""Where and as what ``napari-tessera predict`` writes, and what it refuses to go on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import tifffile
import torch
import zarr
from zarr.storage import FsspecStore, ZipStore

from napari_tessera.prediction import Progress

Command = Callable[..., Any]
BUILTIN = "builtin:denoise2d"


@pytest.fixture
def expected(command: Command, volume: Path, blur_model: Path, tmp_path: Path) -> np.ndarray:
    """What the run gives, as OME-Zarr."""
    path = tmp_path / "expected.ome.zarr"
    assert command("predict", volume, path, "-m", blur_model).status == 0
    return np.asarray(zarr.open_group(path, mode="r")["0"][...])


def read(path: Path) -> np.ndarray:
    if path.name.endswith(".zip"):
        store = ZipStore(path, mode="r")
        return np.asarray(zarr.open_group(store, mode="r")["0"][...])
    if path.suffix == ".zarr":
        return np.asarray(zarr.open_group(path, mode="r")["0"][...])
    return np.load(path) if path.suffix == ".npy" else tifffile.imread(path)


@pytest.mark.parametrize(
    "name", ["a.zarr", "a.ome.zarr.zip", "a.ome.tif", "a.tif", "a.npy", "UPPER.OME.TIFF"]
)
def test_every_ending(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path, expected: Any, name: str
) -> None:
    output = tmp_path / name
    outcome = command("predict", volume, output, "-m", blur_model)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{output}: ZYX 3×70×90 float32, 3 tiles in ")
    np.testing.assert_array_equal(read(output), expected)
    names = {"volume.tif", "blur.pt", "expected.ome.zarr", name}
    assert {entry.name for entry in tmp_path.iterdir()} == names


def test_a_url(command: Command, volume: Path, blur_model: Path, expected: Any) -> None:
    url = "memory://command-line/a.ome.zarr"
    outcome = command("predict", volume, url, "-m", blur_model)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith(f"{url}: ZYX")
    files = fsspec.filesystem("memory")
    store = FsspecStore.from_url(url, read_only=True)
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["0"][...], expected)
    outcome = command("predict", volume, url, "-m", blur_model)
    assert outcome.status == 1
    assert f"{url} exists" in outcome.line
    outcome = command("predict", volume, url, "-m", blur_model, "--overwrite")
    assert outcome.status == 0
    assert not files.glob("/command-line/**/tessera_*")


def test_the_form_of_the_zarr(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path, expected: Any
) -> None:
    output = tmp_path / "a.ome.zarr"
    words = ["--ome-version", "0.4", "--compression", "gzip", "--chunks", "2,32,48"]
    outcome = command("predict", volume, output, "-m", blur_model, *words)
    assert outcome.status == 0, outcome.err
    about = json.loads((output / "0" / ".zarray").read_text())
    assert about["chunks"] == [2, 32, 48]
    assert about["compressor"]["id"] == "gzip" or about["compressor"]["cname"] == "zlib"
    assert "multiscales" in json.loads((output / ".zattrs").read_text())
    np.testing.assert_array_equal(read(output), expected)


def test_the_form_of_a_tiff(
    command: Command, volume: Path, blur_model: Path, tmp_path: Path, expected: Any
) -> None:
    output = tmp_path / "a.tif"
    words = ["--format", "ome-tiff", "--compression", "lzw"]
    outcome = command("predict", volume, output, "-m", blur_model, *words)
    assert outcome.status == 0, outcome.err
    with tifffile.TiffFile(output) as tiff:
        assert tiff.is_ome
        assert tiff.pages[0].compression == tifffile.COMPRESSION.LZW
        np.testing.assert_array_equal(tiff.asarray(), expected)


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ome.tif", "a.npy"])
def test_channels_that_are_left_out_are_copied(
    command: Command, blur_model: Path, tmp_path: Path, picture: Callable[..., Any], name: str
) -> None:
    source, output = tmp_path / "in.tif", tmp_path / name
    image = picture((3, 40, 50), np.uint8)
    tifffile.imwrite(source, image, photometric="minisblack")
    words = ["predict", source, output, "-m", blur_model, "--axes", "CYX"]
    outcome = command(*words, "--channels", "1", "--copy-channels")
    assert outcome.status == 0, outcome.err
    result = read(output)
    assert result.shape == (3, 40, 50)
    np.testing.assert_array_equal(result[[0, 2]], image[[0, 2]].astype(np.float32))
    assert np.abs(result[1] - image[1]).max() > 1
    alone = tmp_path / f"alone-{name}"
    assert command(*words[:2], alone, *words[3:], "--channels", "1").status == 0
    np.testing.assert_array_equal(np.squeeze(read(alone)), result[1])

    outcome = command(*words, "--channels", "2,0", "--copy-channels", "--overwrite")
    assert outcome.status == 1
    assert "--channels reorders them to 2,0: give them in ascending order" in outcome.line
    outcome = command(
        *words, "--channels", "2", "--region", "C=2", "--copy-channels", "--overwrite"
    )
    assert outcome.status == 1
    assert "--channels and C in --region are both given" in outcome.line


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("a.zarr", ["--compression", "lzw"], "OME-Zarr has no compression 'lzw': use zstd"),
        ("a.ome.tif", ["--compression", "zstd"], "OME-TIFF has no compression 'zstd': use zlib"),
        ("a.npy", ["--format", "ome-zarr"], "'a.npy': this is no ending of OME-Zarr"),
        ("a.tif", ["--chunks", "64,64"], "chunks (64, 64) is for OME-Zarr, and"),
        ("a.npy", ["--ome-version", "0.4"], "ome_version 0.4 is for OME-Zarr, and"),
        ("a.ome.tif", ["--resume"], "cannot be resumed"),
        ("a.zarr.zip", ["--resume"], "cannot be resumed"),
        ("a.zarr", ["--chunks", "1,1,64,64"], "chunks (1, 1, 64, 64)"),
        ("a.jpg", [], "output 'a.jpg': unknown ending '.jpg'; use .ome.zarr, .zarr"),
        ("memory://x/a.tif", [], "only Zarr is written to a URL"),
        ("nowhere://x/a.zarr", [], "nowhere"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(
    command: Command,
    volume: Path,
    blur_model: Path,
    tmp_path: Path,
    name: str,
    words: list[str],
    message: str,
) -> None:
    output = name if "://" in name else tmp_path / name
    before = sorted(tmp_path.rglob("*"))
    outcome = command("predict", volume, output, "-m", blur_model, *words)
    assert outcome.status == 1
    assert message in outcome.line
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("chunks", ["0,64", "a", "64,"])
def test_chunks_that_are_none(command: Command, volume: Path, tmp_path: Path, chunks: str) -> None:
    outcome = command("predict", volume, tmp_path / "a.zarr", "-m", BUILTIN, "--chunks", chunks)
    assert outcome.status == 2
    assert f"'{chunks}' are no chunk sizes" in outcome.line


class TestResume:
    """What is not the run that was begun is refused, and what differs is named."""

    @pytest.fixture
    def begun(
        self, command: Command, volume: Path, blur_model: Path, tmp_path: Path
    ) -> tuple[Path, dict[str, bytes]]:
        """A run that stopped after a tile, and all bytes of its store."""
        output = tmp_path / "a.ome.zarr"

        def failing(state: Progress) -> None:
            if state.done:
                raise RuntimeError("stop here")

        from napari_tessera import load_model, predict_to_disk

        with pytest.raises(RuntimeError, match="stop here"):
            predict_to_disk(volume, load_model(blur_model), output, progress=failing)
        return output, self.contents(output)

    @staticmethod
    def contents(store: Path) -> dict[str, bytes]:
        return {str(f): f.read_bytes() for f in sorted(store.rglob("*")) if f.is_file()}

    @pytest.fixture
    def refused(
        self, command: Command, begun: tuple[Path, dict[str, bytes]], tmp_path: Path
    ) -> Callable[..., str]:
        output, before = begun

        def resume(source: Path, *words: str | Path) -> str:
            outcome = command("predict", source, output, "--resume", *words)
            assert outcome.status == 1
            assert self.contents(output) == before
            line = str(outcome.line)
            assert f"{output} cannot be resumed" in line
            assert "--overwrite" in line
            return line

        return resume

    def test_another_model(
        self,
        refused: Callable[..., str],
        volume: Path,
        save_torchscript: Callable[[torch.nn.Module, str], Path],
    ) -> None:
        layer = torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
        other = save_torchscript(layer, "other.pt")
        assert "the model blur" in (line := refused(volume, "-m", other))
        assert "this is other" in line
        line = refused(volume, "-m", other, "--patch-size", "64,64")
        assert "the model" in line
        assert "blur" in line
        assert "other" in line

    def test_another_image(
        self,
        refused: Callable[..., str],
        volume: Path,
        blur_model: Path,
        tmp_path: Path,
        picture: Callable[..., Any],
    ) -> None:
        other = tmp_path / "other.tif"
        tifffile.imwrite(other, picture((3, 70, 90), seed=1), metadata={"axes": "ZYX"}, imagej=True)
        assert "other pixels" in refused(other, "-m", blur_model)
        smaller = tmp_path / "smaller.tif"
        tifffile.imwrite(smaller, picture((2, 70, 90)), metadata={"axes": "ZYX"}, imagej=True)
        line = refused(smaller, "-m", blur_model)
        assert "(3, 70, 90)" in line
        assert "(2, 70, 90)" in line

    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (["--patch-size", "32,32"], "patch size (70,90 there, 32,32 now)"),
            (["--output-dtype", "input"], "output_dtype (float32 there, uint16 now)"),
            (["--region", "Z=0"], "the area"),
            (["--tta", "mean"], "tta (none there, mean now)"),
            (["--blending", "linear"], "blending (crop there, linear now)"),
            (["--ome-version", "0.4"], "as OME-Zarr 0.4, its run is in 0.5"),
        ],
    )
    def test_other_settings(
        self,
        refused: Callable[..., str],
        volume: Path,
        blur_model: Path,
        words: list[str],
        named: str,
    ) -> None:
        assert named in refused(volume, "-m", blur_model, *words)

    def test_the_same_again_goes_on(
        self,
        command: Command,
        begun: tuple[Path, dict[str, bytes]],
        volume: Path,
        blur_model: Path,
        expected: Any,
    ) -> None:
        output, _ = begun
        outcome = command("predict", volume, output, "-m", blur_model)
        assert outcome.status == 1
        assert "resume it (--resume), overwrite it (--overwrite)" in outcome.line
        assert command("predict", volume, output, "-m", blur_model, "--resume").status == 0
        np.testing.assert_array_equal(read(output), expected)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
        return
    # root may write wherever the disk lets it
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no read-only disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", ["a.ome.zarr", "a.zarr.zip", "a.ome.tif", "a.npy"])
def test_a_read_only_folder(
    command: Command, volume: Path, read_only_disk: Path, name: str
) -> None:
    outcome = command("predict", volume, read_only_disk / name, "-m", "no.model")
    assert outcome.status == 1
    assert f"{read_only_disk} is read-only: choose another place for {name}" in outcome.line


@pytest.mark.slow
def test_a_second_writer_is_refused(command: Command, tmp_path: Path) -> None:
    source, output = tmp_path / "in.tif", tmp_path / "a.ome.zarr"
    image = np.random.default_rng(0).integers(20, 120, (6, 200, 200)).astype(np.uint16)
    tifffile.imwrite(source, image, metadata={"axes": "ZYX"}, imagej=True)
    words = ["predict", str(source), str(output), "-m", BUILTIN, "--device", "cpu"]
    words += ["--patch-size", "128,128", "--overlaps", "80,80", "--progress", "json"]
    first = subprocess.Popen(
        [sys.executable, "-c", "from napari_tessera.cli import main; main()", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert first.stderr is not None
    for line in first.stderr:
        if json.loads(line)["event"] == "progress":
            break
    for option in ("--resume", "--overwrite"):
        second = command("predict", source, output, "-m", BUILTIN, option)
        assert second.status == 1
        assert f"{output} is being written by another process (pid {first.pid})" in second.line
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    assert np.isfinite(read(output)).all()
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.tif", "a.ome.zarr"}
