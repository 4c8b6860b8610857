"""``napari-tessera models list | info | check``, and ``info`` of a model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from napari_tessera.cli.inputs import is_model

Command = Callable[..., Any]
BUILTIN = "builtin:denoise2d"


def lines_of(text: str) -> dict[str, str]:
    return {line[:12].strip(): line[12:] for line in text.splitlines()}


class TestList:
    def test_built_in_models_come_first(self, command: Command) -> None:
        outcome = command("models", "list")
        assert (outcome.status, outcome.err) == (0, "")
        built_in = [line.split() for line in outcome.out.splitlines()[:2]]
        assert built_in == [["built-in", BUILTIN], ["built-in", "builtin:denoise3d"]]

    def test_models_that_were_used_come_newest_first(
        self, command: Command, volume: Path, blur_model: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other.pt"
        shutil.copy(blur_model, other)
        for number, model in enumerate((blur_model, other, BUILTIN)):
            out = tmp_path / f"{number}.zarr"
            assert command("predict", volume, out, "-m", model, "--region", "Z=0").status == 0
        listed = json.loads(command("models", "list", "--json").out)
        assert listed[0] == {"model": BUILTIN, "kind": "built-in"}
        recent = [entry["model"] for entry in listed if entry["kind"] == "recent"]
        assert recent[:2] == [str(other), str(blur_model)]
        other.unlink()
        text = command("models", "list").out
        assert str(other) not in text
        assert f"recent      {blur_model}\n" in text


class TestInfo:
    @pytest.mark.parametrize("words", [["info"], ["models", "info"]])
    def test_says_what_a_model_is(
        self, command: Command, package: Callable[..., Path], words: list[str]
    ) -> None:
        outcome = command(*words, package())
        assert (outcome.status, outcome.err) == (0, "")
        lines = lines_of(outcome.out)
        assert lines["format"] == "BioImage.IO 0.5 (TorchScript)"
        assert lines["images"] == "2D, 1 channel in, 1 channel out"
        assert lines["reach"] == "1 × 1 px"
        assert lines["parameters"] == "9"
        assert lines["licence"] == "CC-BY-4.0"
        assert lines["authors"] == "Ada Lovelace, Charles Babbage"
        assert lines["cite"].startswith("Notes, 1843")
        assert "10.1000/xyz123" in lines["cite"]
        assert len(lines["sha256"]) == 64

    def test_says_it_in_json(self, command: Command, blur_model: Path) -> None:
        outcome = command("models", "info", blur_model, "--json")
        assert (outcome.status, outcome.err) == (0, "")
        facts = json.loads(outcome.out)
        assert facts["source"] == str(blur_model)
        assert facts["format"] == "TorchScript"
        assert (facts["spatial_dims"], facts["in_channels"], facts["out_channels"]) == (2, 1, 1)
        assert (facts["reach"], facts["period"], facts["is_global"]) == ([1, 1], [1, 1], False)
        assert set(facts["sizes"]) == {"minimum", "step", "maximum"}
        assert facts["warnings"] == []

    def test_a_global_model(self, command: Command, save_torchscript: Callable[..., Path]) -> None:
        path = save_torchscript(torch.nn.InstanceNorm2d(1), "norm.pt")
        outcome = command("info", path)
        assert outcome.status == 0
        assert lines_of(outcome.out)["reach"].startswith("everywhere")
        assert outcome.err.startswith("napari-tessera: warning: ")

    def test_a_package_that_fails_its_own_test(
        self, command: Command, package: Callable[..., Path]
    ) -> None:
        outcome = command("info", package(wrong=5.0))
        assert outcome.status == 0
        assert "own test fails by 5" in outcome.line
        assert outcome.line.startswith("napari-tessera: warning: ")
        assert lines_of(outcome.out)["own test"].startswith("fails by 5")

    @pytest.mark.parametrize("words", [["info"], ["models", "info"], ["models", "check"]])
    @pytest.mark.parametrize(
        ("name", "content"), [("model.pt", b"no model at all"), ("model.ckpt", b""), ("m.pt", None)]
    )
    def test_what_is_no_model_is_one_line(
        self, command: Command, tmp_path: Path, words: list[str], name: str, content: bytes | None
    ) -> None:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        outcome = command(*words, tmp_path / name)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.line.startswith(f"napari-tessera: error: {name} cannot be loaded: ")

    def test_axes_are_for_images(self, command: Command, blur_model: Path) -> None:
        outcome = command("info", blur_model, "--axes", "YX")
        assert (outcome.status, outcome.out) == (2, "")
        assert "blur.pt is a model: --axes is for images" in outcome.line


class TestTelling:
    """Images and models are told apart by what is in them."""

    def test_models_under_any_name(
        self, blur_model: Path, package: Callable[..., Path], tmp_path: Path
    ) -> None:
        named = tmp_path / "blur.tif"
        shutil.copy(blur_model, named)
        folder = package()
        assert is_model(str(named))
        assert is_model(str(folder))
        assert is_model(str(folder / "rdf.yaml"))
        assert is_model(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
        assert is_model(BUILTIN)

    def test_images_stay_images(self, volume: Path, tmp_path: Path) -> None:
        # an MRC image 640 px wide begins as a pickle does
        (tmp_path / "map.mrc").write_bytes((640).to_bytes(4, "little") + bytes(2000))
        (tmp_path / "stack.zarr").mkdir()
        for path in (volume, tmp_path / "map.mrc", tmp_path / "stack.zarr", tmp_path / "none.tif"):
            assert not is_model(str(path))
        assert not is_model("https://example.org/a.zarr")
        assert not is_model(f"{volume}#0")


class TestCheck:
    def test_a_package_that_passes(self, command: Command, package: Callable[..., Path]) -> None:
        outcome = command("models", "check", package())
        assert (outcome.status, outcome.err) == (0, "")
        assert "passes" in outcome.out
        assert len(outcome.out.splitlines()) == 1

    def test_a_package_that_fails(self, command: Command, package: Callable[..., Path]) -> None:
        outcome = command("models", "check", package(wrong=5.0))
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.line.startswith("napari-tessera: error: ")
        assert "fails by 5" in outcome.line

    @pytest.mark.parametrize("wrong", [0.0, 5.0])
    def test_says_it_in_json(
        self, command: Command, package: Callable[..., Path], wrong: float
    ) -> None:
        outcome = command("models", "check", package(wrong=wrong), "--json")
        facts = json.loads(outcome.out)
        assert facts["test"] == ("failed" if wrong else "passed")
        assert facts["max_difference"] == pytest.approx(wrong, abs=1e-3)
        assert outcome.status == (1 if wrong else 0)

    @pytest.mark.parametrize("as_json", [False, True])
    def test_a_model_without_a_test_is_run(
        self, command: Command, blur_model: Path, as_json: bool
    ) -> None:
        words = ["--json"] if as_json else []
        outcome = command("models", "check", blur_model, *words)
        assert (outcome.status, outcome.err) == (0, "")
        said = json.loads(outcome.out) if as_json else {"test": "none", "message": outcome.out}
        assert said["test"] == "none"
        assert "brings no test; it loads, and runs on a tile" in said["message"]

    def test_a_model_that_does_not_run(
        self, command: Command, save_torchscript: Callable[..., Path]
    ) -> None:
        outcome = command("models", "check", save_torchscript(torch.nn.Flatten(), "flat.pt"))
        assert (outcome.status, outcome.out) == (1, "")
        assert "flat.pt" in outcome.line

    def test_the_real_command_on_real_packages(self, shared: Path) -> None:
        models = shared / "models"
        code = "from napari_tessera.cli import main; main()"
        words = [sys.executable, "-c", code, "models", "check"]
        bad = models / "bioimageio_bad_package" / "care2d_fmd_bmz.zip"
        ended = subprocess.run([*words, bad], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "fails by 23.7" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
