"""Real models give what their own software gave, whole and tiled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models import Model
from napari_tessera.models.processing import Processing

N2V = "careamics_n2v_2d/n2v2d_fmd_fish_last.ckpt"
N2V_PACKAGE = "careamics_n2v_2d/n2v2d_fmd_fish_bmz.zip"
N2V2 = "careamics_n2v2_2d/n2v2_blurpool_fish_last.ckpt"
OLD_N2V = "careamics_0.1.0_n2v_2d/n2v2d_fmd_fish_last.ckpt"
BROAD = "bioimageio_unet2d_nuclei_broad"
BAD = "bioimageio_bad_package/care2d_fmd_bmz.zip"
DNCNN = "dncnn_25/dncnn_25.pth"

ODD = (509, 491)
"""A size that is no multiple of anything."""

slow = pytest.mark.slow


def at_once(model: Model, image: np.ndarray) -> np.ndarray:
    """Predict an image in one tile: reflected at its far ends up to the period, and cut again."""
    period = model.geometry.period
    size = [-(-s // k) * k for s, k in zip(image.shape[-2:], period, strict=True)]
    stack = open_stack(image, "CYX"[-image.ndim :])
    plan = plan_prediction(stack, model, patch_size=size)
    assert plan.total_tiles == 1
    return predict(stack, model, plan=plan)


def array(path: Path) -> np.ndarray:
    """The Y and X of a test array."""
    loaded = np.load(path)
    return loaded.reshape(loaded.shape[-2:])


@pytest.mark.parametrize("name", [N2V, N2V_PACKAGE, N2V2, OLD_N2V])
def test_careamics_gives_the_same(shared: Path, name: str) -> None:
    path = shared / "models" / name
    model = load_model(path)
    assert "CAREamics" in model.loaded.format or "BioImage.IO" in model.loaded.format
    made = at_once(model, array(path.parent / "input.npy"))
    reference = array(path.parent / "ref_whole.npy")
    assert np.abs(made - reference).max() <= 1e-5 * np.ptp(reference)


@pytest.mark.parametrize("name", [N2V, pytest.param(N2V2, marks=slow)])
def test_its_tiled_prediction_is_no_nearer_to_it(shared: Path, name: str) -> None:
    """What CAREamics' own tiles differ by from its whole image, ours must not."""
    folder = (shared / "models" / name).parent
    theirs, reference = (array(folder / f"ref_{kind}.npy") for kind in ("tiled", "whole"))
    image = array(folder / "input.npy")
    ours = predict(open_stack(image, "YX"), shared / "models" / name, patch_size=128)
    assert np.abs(ours - reference).max() <= 1e-5 * np.ptp(reference)
    assert np.abs(ours - reference).max() <= np.abs(theirs - reference).max()


@pytest.mark.parametrize(
    "name",
    [
        N2V,
        pytest.param(N2V2, marks=slow),
        pytest.param(N2V_PACKAGE, marks=slow),
        pytest.param(OLD_N2V, marks=slow),
        pytest.param(BAD, marks=[slow, pytest.mark.filterwarnings("ignore:.*own test")]),
    ],
)
def test_tiles_join_bit_for_bit(shared: Path, name: str) -> None:
    model = load_model(shared / "models" / name)
    image = odd_image(shared)
    plan = plan_prediction(open_stack(image, "YX"), model, patch_size=256)
    assert plan.total_tiles == 9
    assert plan.blending == "crop"
    assert not any("seam" in warning for warning in plan.warnings)
    tiled = predict(open_stack(image, "YX"), model, plan=plan)
    assert tiled.tobytes() == at_once(model, image).tobytes()


@slow
@pytest.mark.parametrize("name", [N2V, "builtin:denoise2d"])
def test_automatic_tiles_of_a_larger_image_join_bit_for_bit(shared: Path, name: str) -> None:
    model = load_model(name if ":" in name else shared / "models" / name, device="cpu")
    quarter = odd_image(shared)
    rows = np.concatenate([quarter, quarter[::-1], quarter], axis=0)
    image = np.concatenate([rows, rows[:, ::-1]], axis=1)[:1101, :903]
    plan = plan_prediction(open_stack(image, "YX"), model)
    assert max(plan.patch_size) <= 512
    assert plan.total_tiles >= 4
    assert plan.warnings == ()
    tiled = predict(open_stack(image, "YX"), model, plan=plan)
    assert tiled.tobytes() == at_once(model, image).tobytes()


def odd_image(shared: Path) -> np.ndarray:
    """The first rows and columns of a noisy image."""
    image = array(shared / "models" / N2V.partition("/")[0] / "input.npy")
    return np.ascontiguousarray(image[: ODD[0], : ODD[1]])


def test_a_package_of_bioimage_io_gives_the_same(shared: Path) -> None:
    folder = shared / "models" / BROAD
    made = at_once(load_model(folder), array(folder / "test_input.npy"))
    assert np.abs(made - array(folder / "test_output.npy")).max() <= 1e-5


def by_hand(image: np.ndarray) -> np.ndarray:
    """What its description does to grey levels before the network."""
    return ((image - image.mean()) / (image.std() + 1e-6)).astype(np.float32)


@pytest.mark.parametrize("weights", ["weights.pt", pytest.param("weights.onnx", marks=slow)])
def test_its_weights_alone_give_what_comes_before_its_last_step(shared: Path, weights: str) -> None:
    folder = shared / "models" / BROAD
    model = load_model(folder / weights)
    assert model.processing is None
    image = by_hand(array(folder / "test_input.npy").astype(np.float64))
    stack = open_stack(image, "YX")
    made = predict(stack, model, normalization="none", patch_size=512, overlaps=0)
    made = 1 / (1 + np.exp(-made.astype(np.float64)))
    assert np.abs(made - array(folder / "test_output.npy")).max() <= 1e-5


@slow
def test_tiles_of_a_program_join_exactly(shared: Path) -> None:
    model = load_model(shared / "models" / BROAD)
    image = odd_image(shared)
    plan = plan_prediction(open_stack(image, "YX"), model, patch_size=256)
    assert plan.total_tiles == 9
    tiled = predict(open_stack(image, "YX"), model, plan=plan)
    whole = at_once(model, image)
    assert np.abs(tiled - whole).max() <= 1e-5 * np.ptp(whole)


@slow
def test_tiles_of_one_size_join_to_what_a_program_of_any_size_makes_at_once(shared: Path) -> None:
    fixed, free = (load_model(shared / "models" / BROAD / f"weights.{e}") for e in ("onnx", "pt"))
    assert fixed.geometry.sizes.is_fixed
    image = np.pad(by_hand(odd_image(shared)), ((0, 98), (0, 62)), mode="reflect")
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, fixed, normalization="none")
    assert plan.total_tiles > 1
    tiled = predict(stack, fixed, plan=plan)
    whole = predict(stack, free, normalization="none", patch_size=608, overlaps=0)
    # Tiles of one size are padded at the far ends of the image, where the other sees an end.
    inside = tuple(slice(size - 64) for size in image.shape)
    assert np.abs(tiled - whole)[inside].max() <= 1e-5 * np.ptp(whole)


def test_a_package_that_fails_its_own_test_loads_with_a_warning(shared: Path) -> None:
    with pytest.warns(UserWarning, match=r"the package's own test fails by 23\.7"):
        model = load_model(shared / "models" / BAD)
    assert any("own test fails by 23.7" in warning for warning in model.warnings)
    stack = open_stack(odd_image(shared)[:64, :64], "YX")
    plan = plan_prediction(stack, model)
    assert any("own test fails by 23.7" in warning for warning in plan.warnings)


def noisy(clean: np.ndarray) -> np.ndarray:
    """An image of grey levels from 0 to 1 with noise of σ = 25 of 255."""
    noise = np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    return (clean + noise).astype(np.float32)


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    """Peak signal-to-noise ratio of grey levels from 0 to 1, in decibels."""
    return float(-10 * np.log10(np.mean((image.astype(np.float64) - clean) ** 2)))


def test_dncnn_removes_the_noise_that_it_was_trained_on(shared: Path) -> None:
    clean = np.asarray(Image.open(shared / "models" / "dncnn_25" / "set12_01.png")) / 255.0
    image = noisy(clean)
    assert psnr(image, clean) == pytest.approx(20.2, abs=0.1)
    made = predict(open_stack(image, "YX"), shared / "models" / DNCNN, normalization="none")
    assert psnr(made, clean) == pytest.approx(30.1, abs=0.1)


@slow
def test_tiles_of_dncnn_join_bit_for_bit(shared: Path) -> None:
    clean = np.asarray(Image.open(shared / "models" / "dncnn_25" / "set12_01.png")) / 255.0
    image = np.pad(noisy(clean), ((0, 53), (0, 35)), mode="reflect")
    model = load_model(shared / "models" / DNCNN)
    stack = open_stack(image, "YX")
    plan = plan_prediction(stack, model, patch_size=256)
    assert plan.total_tiles == 4
    assert predict(stack, model, plan=plan).tobytes() == at_once(model, image).tobytes()


@pytest.mark.parametrize("name", ["fish", "BPAE_B"])
def test_dncnn_gets_images_of_8_bits_divided_by_255(shared: Path, name: str) -> None:
    """Where an image is sparse, quantiles fall short of its signal."""
    given, clean = (
        tifffile.imread(shared / "data" / "pairs" / f"{name}_{kind}.tif")[256:456, 256:456]
        for kind in ("noisy", "avg50")
    )
    assert given.dtype == np.uint8
    model = load_model(shared / "models" / DNCNN)
    made = predict(open_stack(given, "YX"), model)
    unit = predict(open_stack(given / np.float32(255), "YX"), model, normalization="none")
    assert np.abs(made - 255 * unit).max() < 1e-2
    quantiles = predict(open_stack(given.astype(np.uint16), "YX"), model)
    gained = psnr(made / 255, clean / 255) - psnr(quantiles / 255, clean / 255)
    assert gained > 0.5


def test_dncnn_takes_grey_levels_of_any_range(shared: Path) -> None:
    clean = np.asarray(Image.open(shared / "models" / "dncnn_25" / "set12_01.png")) / 255.0
    part = noisy(clean)[:96, :96]
    model = load_model(shared / "models" / DNCNN)
    plans, results = [], []
    for gain, offset in ((1, 0), (4000, 300)):
        stack = open_stack(part * gain + offset, "YX")
        plan = plan_prediction(stack, model, statistics="exact")
        plans.append(plan)
        results.append((predict(stack, model, plan=plan) - offset) / gain)
    assert plans[0].normalization.kind == "time_point"
    assert np.allclose(results[0], results[1], atol=1e-3)


def test_the_images_own_range_may_take_the_place_of_the_models(shared: Path) -> None:
    model = load_model(shared / "models" / N2V)
    image = odd_image(shared)[:160, :160]
    own = plan_prediction(open_stack(image, "YX"), model)
    assert own.normalization.kind == "model"
    assert own.normalization.own_numbers
    stack = open_stack(image * 50 + 1000, "YX")
    off = plan_prediction(stack, model)
    assert any("3 times" in warning for warning in off.warnings)
    measured = plan_prediction(stack, model, normalization="time_point", statistics="exact")
    assert not measured.normalization.own_numbers
    assert isinstance(measured.normalization.processing_of(model), Processing)
    there = plan_prediction(
        open_stack(image, "YX"), model, normalization="time_point", statistics="exact"
    )
    expected = predict(open_stack(image, "YX"), model, plan=there) * 50 + 1000
    assert np.allclose(predict(stack, model, plan=measured), expected, rtol=1e-4, atol=0.1)
