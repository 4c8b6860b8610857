"""What cannot be trained with, or written to: one line, and nothing is changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from .runs import TINY, Command, stopped_after


class TestImages:
    @pytest.mark.parametrize("level", [0, 7])
    def test_without_contrast(
        self, refused: Callable[..., str], saved: Callable[..., Path], level: int
    ) -> None:
        line = refused(saved(np.full((96, 112), level, np.uint16)))
        assert str(level) in line

    @pytest.mark.parametrize(
        ("shape", "says"),
        [
            ((16, 17), "nothing is left to train on beside a part for validation"),
            ((8, 8), "has 8 × 8 pixels, and training needs 16 or more along Y and X"),
            ((15, 112), "has 15 × 112 pixels, and training needs 16 or more"),
            ((1, 1), "train on a larger image"),
        ],
    )
    def test_too_few_pixels(
        self,
        refused: Callable[..., str],
        saved: Callable[..., Path],
        shape: tuple[int, int],
        says: str,
    ) -> None:
        pixels = np.random.default_rng(0).poisson(60, shape).astype(np.uint16)
        assert says in refused(saved(pixels))

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_pixels_that_are_no_numbers(
        self, refused: Callable[..., str], saved: Callable[..., Path], bad: float
    ) -> None:
        pixels = np.random.default_rng(0).normal(60, 8, (96, 112)).astype(np.float32)
        pixels[::12, ::12] = bad
        line = refused(saved(pixels))
        assert "80 pixels that are NaN or infinite (the first at Y=0 X=0)" in line

    def test_a_mask_with_nothing_inside(
        self, refused: Callable[..., str], image: Path, saved: Callable[..., Path]
    ) -> None:
        mask = saved(np.zeros((96, 112), np.uint8), "mask.tif")
        assert "mask" in refused(image, "--mask", mask)

    def test_a_mask_of_another_size(
        self, refused: Callable[..., str], image: Path, saved: Callable[..., Path]
    ) -> None:
        line = refused(image, "--mask", saved(np.ones((96, 111), np.uint8), "mask.tif"))
        assert "111" in line
        assert "112" in line

    def test_a_mask_that_is_not_there(self, refused: Callable[..., str], image: Path) -> None:
        assert "nomask.tif" in refused(image, "--mask", "nomask.tif")

    def test_planes_are_no_volume(self, refused: Callable[..., str], image: Path) -> None:
        assert "Z" in refused(image, "--dims", "3", "--patch-size", "auto")

    def test_axes_that_do_not_fit(self, refused: Callable[..., str], image: Path) -> None:
        assert "ZYX" in refused(image, "--axes", "ZYX")

    def test_an_image_that_is_not_there(self, refused: Callable[..., str], tmp_path: Path) -> None:
        assert "none.tif" in refused(tmp_path / "none.tif")

    @pytest.mark.skipif(sys.platform == "darwin", reason="no device of CUDA there, another line")
    def test_a_device_that_is_not_there(self, refused: Callable[..., str], image: Path) -> None:
        assert "cuda:9" in refused(image, "--device", "cuda:9")


class TestTargets:
    @pytest.fixture
    def against(self, refused: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
        def call(noisy: Any, clean: Any, *words: str) -> str:
            for name, pixels in (("in.tif", noisy), ("clean.tif", clean)):
                tifffile.imwrite(tmp_path / name, np.asarray(pixels), photometric="minisblack")
            target = ("--method", "supervised", "--target", tmp_path / "clean.tif")
            return refused(tmp_path / "in.tif", *target, *words)

        return call

    def test_of_another_number_of_channels(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).poisson(60, (3, 64, 64)).astype(np.uint16)
        line = against(noise, noise[:2], "--axes", "CYX")
        assert "2" in line
        assert "3" in line

    def test_of_another_size(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).poisson(60, (96, 112)).astype(np.uint16)
        line = against(noise, noise[:90])
        assert "90" in line
        assert "96" in line

    def test_without_contrast(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).poisson(60, (96, 112)).astype(np.uint16)
        assert "0" in against(noise, np.zeros_like(noise))

    def test_pixels_that_are_no_numbers(self, against: Callable[..., str]) -> None:
        noise = np.random.default_rng(0).normal(60, 8, (96, 112)).astype(np.float32)
        clean = noise.copy()
        clean[:] = np.nan
        assert "NaN or infinite" in against(noise, clean)

    def test_that_is_not_there(
        self, refused: Callable[..., str], image: Path, tmp_path: Path
    ) -> None:
        words = ("--method", "supervised", "--target", tmp_path / "none.tif")
        assert "none.tif" in refused(image, *words)


class TestPlaces:
    def test_a_missing_folder(
        self, refused: Callable[..., str], image: Path, tmp_path: Path
    ) -> None:
        assert "nowhere" in refused(image, output=tmp_path / "nowhere" / "net.safetensors")

    def test_a_folder_with_the_name(
        self, refused: Callable[..., str], image: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "net.safetensors").mkdir()
        assert "net.safetensors" in refused(image, output=tmp_path / "net.safetensors")
        assert "net.safetensors" in refused(
            image, "--overwrite", output=tmp_path / "net.safetensors"
        )

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="there is no /proc")
    def test_a_folder_that_cannot_be_written_to(
        self, refused: Callable[..., str], image: Path
    ) -> None:
        assert "/proc" in refused(image, output=Path("/proc/self/net.safetensors"))

    @pytest.mark.parametrize("name", ["net.pt", "net", "net.ckpt", "net.safetensors.gz"])
    def test_another_ending(
        self, refused: Callable[..., str], image: Path, tmp_path: Path, name: str
    ) -> None:
        line = refused(image, output=tmp_path / name)
        assert ".safetensors" in line
        assert name in line

    def test_a_model_that_is_there(
        self, command: Command, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        model.write_bytes(b"of somebody")
        line = refused(image)
        assert model.name in line
        assert "--overwrite" in line
        assert model.read_bytes() == b"of somebody"
        outcome = command("train", image, model, *TINY, "--overwrite")
        assert (outcome.status, outcome.err) == (0, "")
        assert command("info", model).status == 0

    def test_a_checkpoint_that_is_there(
        self, command: Command, refused: Callable[..., str], image: Path, model: Path
    ) -> None:
        """Hours of work are not replaced unasked."""
        stopped_after(4, command, image, model)
        line = refused(image)
        assert "out.safetensors.training" in line
        assert "--resume" in line
        assert "--overwrite" in line
        assert command("train", image, model, *TINY, "--overwrite").status == 0
