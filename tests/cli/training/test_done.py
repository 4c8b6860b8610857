"""``napari-tessera train``: from an image to a model that ``predict`` takes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_tessera.models.recent import recent_models

from .runs import TINY, Command, names


class TestDone:
    @pytest.mark.parametrize("method", ["n2v", "n2v2"])
    def test_what_is_trained_is_predicted_with(
        self, command: Command, image: Path, model: Path, tmp_path: Path, method: str
    ) -> None:
        outcome = command("train", image, model, "--method", method, *TINY)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"{model}: {method}, 2D, 12 steps in 0:00:")
        assert "held out" in outcome.out
        # the state is of no use any more
        assert names(tmp_path) == {"in.tif", "out.safetensors"}
        assert recent_models()[0] == str(model)

        output = tmp_path / "denoised.tif"
        outcome = command("predict", image, output, "-m", model, "--device", "cpu")
        assert (outcome.status, outcome.err) == (0, "")
        made = tifffile.imread(output)
        assert made.shape == (96, 112)
        assert 40 < made.mean() < 80

        outcome = command("info", model)
        assert outcome.status == 0
        assert {"n2v": "Noise2Void", "n2v2": "N2V2"}[method] in outcome.out

    def test_with_a_clean_image_in_3d_of_several_channels(
        self, command: Command, model: Path, tmp_path: Path
    ) -> None:
        clean = np.random.default_rng(1).integers(20, 200, (12, 2, 48, 40)).astype(np.float32)
        noisy = np.random.default_rng(2).poisson(clean).astype(np.uint16)
        for name, pixels in (("noisy", noisy), ("clean", clean)):
            tifffile.imwrite(
                tmp_path / f"{name}.tif", pixels, imagej=True, metadata={"axes": "ZCYX"}
            )
        words = [*TINY, "--patch-size", "4,16,16", "--dims", "3", "--joint-channels"]
        outcome = command(
            "train", tmp_path / "noisy.tif", model, "--method", "supervised", "--target",
            tmp_path / "clean.tif", "--axes", "ZCYX", *words,
        )  # fmt: skip
        assert (outcome.status, outcome.err) == (0, "")
        assert "supervised, 3D, 12 steps" in outcome.out
        output = tmp_path / "denoised.npy"
        outcome = command("predict", tmp_path / "noisy.tif", output, "-m", model, "--axes", "ZCYX")
        assert (outcome.status, outcome.err) == (0, "")
        assert np.load(output).shape == noisy.shape

    def test_one_channel_of_several(self, command: Command, model: Path, tmp_path: Path) -> None:
        source = tmp_path / "in.tif"
        pixels = np.random.default_rng(1).poisson(60, (3, 64, 64)).astype(np.uint16)
        tifffile.imwrite(source, pixels, imagej=True, metadata={"axes": "CYX"})
        outcome = command("train", source, model, "--channels", "1", *TINY)
        assert (outcome.status, outcome.err) == (0, "")
        outcome = command("models", "info", model, "--json")
        assert json.loads(outcome.out)["in_channels"] == 1

    def test_inside_a_mask(
        self, command: Command, image: Path, model: Path, tmp_path: Path
    ) -> None:
        mask = np.zeros((96, 112), np.uint8)
        mask[:, :60] = 1
        tifffile.imwrite(tmp_path / "mask.tif", mask)
        outcome = command("train", image, model, "--mask", tmp_path / "mask.tif", *TINY)
        assert (outcome.status, outcome.err) == (0, "")

    def test_in_the_foreground(self, command: Command, model: Path, tmp_path: Path) -> None:
        y, x = np.mgrid[:128, :128]
        cell = 200 * np.exp(-((y - 40) ** 2 + (x - 70) ** 2) / 800)
        noisy = np.random.default_rng(0).poisson(10 + cell).astype(np.uint16)
        tifffile.imwrite(tmp_path / "in.tif", noisy)
        outcome = command("train", tmp_path / "in.tif", model, "--mask", "foreground", *TINY)
        assert (outcome.status, outcome.err) == (0, "")

    def test_what_is_broken_is_left_out_and_told(
        self, command: Command, model: Path, tmp_path: Path
    ) -> None:
        pixels = np.random.default_rng(0).normal(60, 8, (96, 112)).astype(np.float32)
        pixels[33, 70:75] = np.nan
        tifffile.imwrite(tmp_path / "in.tif", pixels)
        outcome = command("train", tmp_path / "in.tif", model, *TINY)
        assert outcome.status == 0
        assert outcome.line.startswith("napari-tessera: warning: 5 pixels are NaN or infinite")
        output = tmp_path / "denoised.npy"
        command("predict", tmp_path / "in.tif", output, "-m", model)
        assert np.load(output).shape == (96, 112)

    def test_json_tells_each_part(self, command: Command, image: Path, model: Path) -> None:
        outcome = command("train", image, model, *TINY, "--progress", "json")
        assert outcome.status == 0
        events = [json.loads(line) for line in outcome.err.splitlines()]
        assert {event["event"] for event in events} == {"planned", "progress", "finished"}
        first, last = events[0], events[-2]
        assert first["settings"]["steps"] == 12
        assert first["settings"]["patch_size"] == [16, 16]
        assert first["channels"] == 1
        assert first["statistics"]["means"][0] == pytest.approx(60, abs=3)
        assert (last["step"], last["steps"], last["seconds_left"]) == (12, 12, 0.0)
        assert last["training_loss"] > 0
        assert last["validation_loss"] > 0
        assert events[-1] == {
            "event": "finished", "path": str(model), "step": 12, "steps": 12
        }  # fmt: skip
