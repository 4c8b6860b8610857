"""Cases are the same in every run, and none of their images was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.quality_parts import volumes
from benchmarks.quality_parts.cases import NAMES, packaged, pairs
from benchmarks.quality_parts.classical import best_blur, closest, nlm_of, tv_of, with_noise_known
from benchmarks.quality_parts.measures import psnr


def test_packaged_images_have_the_same_pixels_each_time() -> None:
    first, again = list(packaged(quick=True)), list(packaged(quick=True))
    assert [case.digest for case in first] == [case.digest for case in again]
    assert len({case.digest for case in first}) == len(first) == 4
    assert {case.noisy.dtype for case in first} == {np.dtype(np.float32)}


def test_real_pairs_bring_the_noise_that_an_oracle_knows(shared: Path) -> None:
    found = {case.name: case for case in pairs(shared / "data" / "pairs")}
    assert {"BPAE_B", "fish"} <= found.keys()
    for case in found.values():
        assert not case.is_gaussian
        assert all(noise.gain > 1 for noise in case.noises)
    assert psnr(best_blur(found["fish"])[0], found["fish"].clean) == pytest.approx(31.28, abs=0.01)


def test_the_best_blur_of_the_camera_is_the_known_one() -> None:
    (case,) = (case for case in packaged(quick=True) if case.name == "camera, σ 25")
    made, how = best_blur(case)
    assert psnr(made, case.clean) == pytest.approx(27.31, abs=0.01)
    assert how.startswith("σ = 1.")


@pytest.mark.parametrize("denoise", [tv_of(1.0), nlm_of(5, 6, 0.8)], ids=["TV", "NLM"])
def test_classical_ways_denoise_gaussian_and_photon_noise(denoise: object) -> None:
    for case in packaged(quick=True):
        if not case.name.startswith("coins"):
            continue
        made, _ = closest(with_noise_known(denoise, case), case.clean)  # type: ignore[arg-type]
        assert psnr(made, case.clean) > psnr(case.noisy, case.clean) + 5


def test_volumes_have_structure_and_grey_levels_of_images() -> None:
    found = volumes.cases(quick=True)
    again = volumes.cases(quick=True)
    assert [case.digest for case in found] == [case.digest for case in again]
    for case in found:
        assert case.clean.shape == case.noisy.shape == (16, 128, 128)
        assert 0 <= case.clean.min() < 30
        assert 200 < case.clean.max() <= 255
        assert case.clean.std() > 15


def test_no_image_of_the_benchmark_is_among_those_trained_on(pytestconfig: pytest.Config) -> None:
    """Names of packaged images in the training's list of images."""
    sources = (pytestconfig.rootpath / "scripts").glob("*builtin*images*.py")
    for source in sources:
        words = source.read_text("utf-8").split('"')
        assert not set(NAMES) & set(words), source
