"""What cannot be done: one line with the value, the limit and the way out; nothing written."""

from __future__ import annotations

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
BUILTIN = "builtin:denoise2d"


@pytest.fixture
def refused(command: Command, tmp_path: Path) -> Callable[..., str]:
    """Run ``predict`` into a new store: status 1, nothing written; give the line on stderr."""

    def call(source: Path, *words: str | Path, output: Path | None = None) -> str:
        target = tmp_path / "out.ome.zarr" if output is None else output
        before = sorted(tmp_path.rglob("*"))
        outcome = command("predict", source, target, *words)
        assert outcome.status == 1, outcome
        assert outcome.out == ""
        assert sorted(tmp_path.rglob("*")) == before
        assert outcome.line.startswith("napari-tessera: error: ")
        return str(outcome.line)

    return call


class TestAxes:
    @pytest.mark.parametrize(
        ("axes", "named"),
        [
            ("YX", "YX"),
            ("TCZYX", "TCZYX"),
            ("YYX", "Y"),
            ("QYX", "Q"),
            ("ZTX", "Y"),
            ("CZT", "Y"),
        ],
        ids=["too few", "too many", "twice", "unknown", "no Y", "no Y nor X"],
    )
    def test_axes_that_do_not_fit(
        self, refused: Callable[..., str], volume: Path, axes: str, named: str
    ) -> None:
        line = refused(volume, "-m", BUILTIN, "--axes", axes)
        assert axes in line
        assert named in line

    def test_an_empty_axis(self, refused: Callable[..., str], tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "empty.zarr", shape=(0, 64, 64), dtype="uint8")
        line = refused(tmp_path / "empty.zarr", "-m", BUILTIN, "--axes", "ZYX")
        assert "0" in line


class TestTiles:
    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (["--patch-size", "64,64", "--overlaps", "17,16"], "17"),
            (["--patch-size", "64,64", "--overlaps", "64,16"], "64"),
            (["--patch-size", "64,64", "--overlaps", "80,16"], "80"),
            (["--patch-size", "64,64", "--overlaps=-2,16"], "-2"),
            (["--patch-size", "0,64"], "0"),
            (["--patch-size=-64,64"], "-64"),
            (["--patch-size", "16,64,64"], "16,64,64"),
            (["--batch-size", "0"], "0"),
        ],
        ids=[
            "odd overlap", "overlap = size", "overlap > size", "negative overlap", "size 0",
            "negative size", "one size too many", "batch 0",
        ],
    )  # fmt: skip
    def test_sizes_out_of_range(
        self,
        refused: Callable[..., str],
        volume: Path,
        blur_model: Path,
        words: list[str],
        named: str,
    ) -> None:
        assert named in refused(volume, "-m", blur_model, *words)

    @pytest.mark.parametrize(
        ("region", "named"), [("T=1", "T"), ("Z=3", "3"), ("Z=-4", "-4"), ("Y=5:5", "Y")]
    )
    def test_regions_outside_the_image(
        self, refused: Callable[..., str], volume: Path, region: str, named: str
    ) -> None:
        assert named in refused(volume, "-m", BUILTIN, "--region", region)

    @pytest.mark.parametrize(
        ("region", "size"), [("Z=2:9", 3), ("Z=-9:", 3), ("Z=4:", 3), ("Y=0:71", 70), ("C=0:2", 1)]
    )
    def test_ranges_past_the_end_are_typos(
        self, refused: Callable[..., str], tmp_path: Path, picture: Any, region: str, size: int
    ) -> None:
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, picture((1, 3, 70, 90)), photometric="minisblack")
        line = refused(source, "-m", BUILTIN, "--axes", "CZYX", "--region", region)
        assert f"region {region[0]}: " in line
        assert f"{region[0]} has {size}: give bounds up to {size}" in line


class TestPixels:
    def test_complex(self, refused: Callable[..., str], tmp_path: Path) -> None:
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, np.ones((64, 64), np.complex64))
        assert "complex64" in refused(source, "-m", BUILTIN)

    @pytest.mark.parametrize("dtype", ["<U8", np.dtypes.StringDType()], ids=["fixed", "variable"])
    def test_strings(self, refused: Callable[..., str], tmp_path: Path, dtype: Any) -> None:
        array = zarr.create_array(tmp_path / "in.zarr", shape=(64, 64), dtype=dtype, zarr_format=2)
        array[:] = np.full((64, 64), "pixel", dtype)
        line = refused(tmp_path / "in.zarr", "-m", BUILTIN)
        assert "dtype" in line

    def test_objects(self, refused: Callable[..., str], tmp_path: Path) -> None:
        """An array of pickled objects, as older Zarr versions wrote them."""
        store = tmp_path / "in.zarr"
        store.mkdir()
        (store / ".zarray").write_text(
            '{"chunks": [64, 64], "compressor": null, "dtype": "|O", "fill_value": null, '
            '"filters": [{"id": "pickle", "protocol": 5}], "order": "C", "shape": [64, 64], '
            '"zarr_format": 2}'
        )
        assert "in.zarr" in refused(store, "-m", BUILTIN)

    def test_channels_the_model_cannot_take(
        self,
        refused: Callable[..., str],
        tmp_path: Path,
        picture: Callable[..., Any],
        save_torchscript: Callable[..., Path],
    ) -> None:
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, picture((2, 64, 64)), photometric="minisblack")
        mixing = torch.nn.Conv2d(3, 3, 3, padding=1, bias=False)
        line = refused(source, "-m", save_torchscript(mixing, "rgb.pt"), "--axes", "CYX")
        assert "3" in line
        assert "2" in line

    def test_channels_that_are_not_there(
        self, refused: Callable[..., str], tmp_path: Path, picture: Callable[..., Any]
    ) -> None:
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, picture((2, 64, 64)), photometric="minisblack")
        assert "5" in refused(source, "-m", BUILTIN, "--axes", "CYX", "--channels", "0,5")


class TestFiles:
    def test_a_missing_image(self, refused: Callable[..., str], tmp_path: Path) -> None:
        assert "none.tif" in refused(tmp_path / "none.tif", "-m", BUILTIN)

    def test_a_file_that_is_no_image(self, refused: Callable[..., str], tmp_path: Path) -> None:
        (tmp_path / "in.txt").write_text("no pixels here")
        assert "in.txt" in refused(tmp_path / "in.txt", "-m", BUILTIN)

    def test_a_damaged_image(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        broken = tmp_path / "broken.tif"
        broken.write_bytes(volume.read_bytes()[:200])
        assert "broken.tif" in refused(broken, "-m", BUILTIN)

    @pytest.mark.parametrize("command_name", ["info", "predict"])
    def test_a_damaged_image_is_told_of_once(
        self, volume: Path, tmp_path: Path, command_name: str
    ) -> None:
        """In a process of its own, as pytest takes what is logged."""
        broken = tmp_path / "broken.tif"
        content = bytearray(volume.read_bytes())
        at = content.index(b"ImageJ=")
        broken.write_bytes(content[: at + 10])
        words = [command_name, str(broken)]
        if command_name == "predict":
            words += [str(tmp_path / "out.ome.zarr"), "-m", BUILTIN]
        code = "from napari_tessera.cli import main; main()"
        ended = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert len(ended.stderr.splitlines()) == 1, ended.stderr
        assert ended.stderr.startswith("napari-tessera: error: ")
        assert "broken.tif" in ended.stderr

    @pytest.mark.parametrize("words", [["info"], ["predict"], ["models", "export"]])
    def test_the_home_of_nobody(
        self, command: Command, blur_model: Path, tmp_path: Path, words: list[str]
    ) -> None:
        """What begins with ``~`` and no user's name is a name as others are."""
        gone = "~nobody-of-this-name/in.tif"
        more = {
            "info": [],
            "predict": [tmp_path / "out/", "-m", blur_model],
            "export": [tmp_path / "out.zip"],
        }
        (tmp_path / "out").mkdir()
        outcome = command(*words, gone, *more[words[-1]])
        assert (outcome.status, outcome.out) == (1, "")
        assert gone in outcome.line
        assert "--debug" not in outcome.line, "no error that was foreseen"

    def test_a_missing_model(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        assert "none.pt" in refused(volume, "-m", tmp_path / "none.pt")

    def test_a_builtin_that_is_not_there(self, refused: Callable[..., str], volume: Path) -> None:
        line = refused(volume, "-m", "builtin:nothing")
        assert "builtin:nothing" in line
        assert BUILTIN in line

    @pytest.mark.parametrize("name", ["model.pt", "model.zip", "model.txt"])
    def test_a_file_that_is_no_model(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / name).write_bytes(b"this is no model" * 10)
        assert name in refused(volume, "-m", tmp_path / name)

    def test_a_model_whose_output_has_another_size(
        self,
        refused: Callable[..., str],
        volume: Path,
        save_torchscript: Callable[..., Path],
    ) -> None:
        doubling = save_torchscript(torch.nn.Upsample(scale_factor=2), "doubling.pt")
        line = refused(volume, "-m", doubling)
        assert "doubling.pt" in line
        assert "2" in line

    def test_a_plan_that_is_none(
        self, refused: Callable[..., str], volume: Path, blur_model: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "plan.json").write_text('{"patch_size": [64, 64]}')
        plan = tmp_path / "plan.json"
        assert "plan" in refused(volume, "-m", blur_model, "--plan", plan)
        assert "none.json" in refused(volume, "-m", blur_model, "--plan", tmp_path / "none.json")
        assert str(tmp_path) in refused(volume, "-m", blur_model, "--plan", tmp_path)

    @pytest.mark.parametrize(
        "content", [b"II*\0\xff\xd8", b"{\xff\xfe}", b"\xff\xfe{\0}\0", b"[1]"]
    )
    def test_a_plan_that_is_no_text(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path, content: bytes
    ) -> None:
        plan = tmp_path / "plan.json"
        plan.write_bytes(content)
        line = refused(volume, "-m", BUILTIN, "--plan", plan)
        assert f"{plan} is no plan: give a plan (JSON), or a run's .zarr" in line

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
    def test_a_device_that_is_not_there(self, refused: Callable[..., str], volume: Path) -> None:
        assert "cuda" in refused(volume, "-m", BUILTIN, "--device", "cuda")


class TestOutput:
    @pytest.mark.parametrize("name", ["out.ome.zarr", "out.tif"])
    def test_exists(
        self,
        command: Command,
        refused: Callable[..., str],
        volume: Path,
        blur_model: Path,
        tmp_path: Path,
        name: str,
    ) -> None:
        output = tmp_path / name
        assert command("predict", volume, output, "-m", blur_model).status == 0
        line = refused(volume, "-m", blur_model, output=output)
        assert name in line
        assert "--overwrite" in line
        again = command("predict", volume, output, "-m", blur_model, "--overwrite")
        assert (again.status, again.err) == (0, "")

    def test_something_else_is_never_overwritten(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "photos.zarr"
        folder.mkdir()
        (folder / "holiday.jpg").write_bytes(b"sunshine")
        line = refused(volume, "-m", BUILTIN, "--overwrite", output=folder)
        assert "photos.zarr" in line
        assert (folder / "holiday.jpg").read_bytes() == b"sunshine"

    def test_the_input_is_never_overwritten(
        self, refused: Callable[..., str], volume: Path
    ) -> None:
        before = volume.read_bytes()
        assert volume.name in refused(volume, "-m", BUILTIN, "--overwrite", output=volume)
        assert volume.read_bytes() == before

    def test_another_suffix(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        line = refused(volume, "-m", BUILTIN, output=tmp_path / "out.png")
        assert ".png" in line
        assert ".ome.zarr" in line

    def test_a_tiff_cannot_be_resumed(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        line = refused(volume, "-m", BUILTIN, "--resume", output=tmp_path / "out.tif")
        assert ".ome.zarr" in line

    def test_resuming_another_run(
        self,
        command: Command,
        refused: Callable[..., str],
        volume: Path,
        blur_model: Path,
        tmp_path: Path,
    ) -> None:
        output = tmp_path / "out.ome.zarr"
        assert command("predict", volume, output, "-m", blur_model).status == 0
        line = refused(volume, "-m", blur_model, "--resume", "--patch-size", "32,32", output=output)
        assert "patch" in line

    def test_a_missing_folder(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        assert "nowhere" in refused(
            volume, "-m", BUILTIN, output=tmp_path / "nowhere" / "out.ome.zarr"
        )

    def test_a_folder_that_is_a_file(self, refused: Callable[..., str], volume: Path) -> None:
        assert volume.name in refused(volume, "-m", BUILTIN, output=volume / "out.ome.zarr")

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
    def test_a_read_only_folder_even_for_root(
        self, refused: Callable[..., str], volume: Path
    ) -> None:
        output = Path("/proc/self/out.ome.zarr")
        assert "/proc" in refused(volume, "-m", BUILTIN, output=output)
        assert not output.exists()

    def test_a_read_only_folder(
        self, refused: Callable[..., str], volume: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "archive"
        folder.mkdir()
        folder.chmod(0o500)
        try:
            (folder / "probe").touch()
        except PermissionError:
            pass
        else:
            (folder / "probe").unlink()
            folder.chmod(0o700)
            pytest.skip("root, or a file system without permissions, may write everywhere")
        try:
            assert "archive" in refused(volume, "-m", BUILTIN, output=folder / "out.ome.zarr")
        finally:
            folder.chmod(0o700)
