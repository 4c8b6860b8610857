from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from scipy.ndimage import gaussian_filter
from skimage import data
from torch import Tensor, nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models.builtin import load_builtin, read_builtin
from napari_tessera.models.builtin_names import BUILTIN_NAMES, BUILTIN_TITLES
from napari_tessera.models.networks_unet import BiasFreeUNet

Image = NDArray[np.float64]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return load_builtin("denoise2d")[0]


def _run(network: nn.Module, image: Tensor) -> Tensor:
    with torch.inference_mode():
        output: Tensor = network(image)
    return output


def _denoise(network: nn.Module, image: Image) -> Image:
    mean = image.mean()
    shifted = torch.from_numpy((image - mean).astype(np.float32))[None, None]
    return _run(network, shifted)[0, 0].numpy().astype(np.float64) + mean


def _psnr(image: Image, clean: Image) -> float:
    return float(10 * np.log10(255**2 / np.mean((image - clean) ** 2)))


def test_weights_are_small_and_say_what_they_are() -> None:
    for name in BUILTIN_NAMES:
        _, info = load_builtin(f"builtin:{name}")
        assert info["file"].stat().st_size <= 2_000_000
        assert info["name"] == name
        assert info["title"] == BUILTIN_TITLES[name]
        assert info["axes"] == ("ZYX" if name.endswith("3d") else "YX")
        assert info["channels"] == 1
        assert info["licence"] == "BSD-3-Clause"
        assert info["training"]
        assert max(info["reach"][-2:]) <= 40
        assert max(info["reach"][:-2], default=0) <= 4


def test_unknown_name_is_one_line_that_names_what_there_is() -> None:
    with pytest.raises(
        ValueError,
        match=r"^no built-in model 'denoise9d'; there is builtin:denoise2d, builtin:denoise3d$",
    ):
        load_builtin("denoise9d")


def test_loading_twice_gives_the_same_pixels() -> None:
    image = torch.randn(1, 1, 64, 96, generator=torch.Generator().manual_seed(1))
    first, second = (_run(load_builtin("denoise2d")[0], image) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("scale", [2.0**-20, 0.1, 3.0, 65535.0])
def test_grey_range_does_not_matter(network: nn.Module, scale: float) -> None:
    image = torch.randn(1, 1, 96, 64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        _run(network, scale * image), scale * _run(network, image), rtol=1e-4, atol=1e-5 * scale
    )


def test_has_no_additive_term(network: nn.Module) -> None:
    assert not [name for name, _ in network.named_parameters() if name.endswith("bias")]
    assert torch.equal(_run(network, torch.zeros(1, 1, 32, 32)), torch.zeros(1, 1, 32, 32))


def test_local_grey_level_passes_unchanged(network: nn.Module) -> None:
    reach = max(load_builtin("denoise2d")[1]["reach"])
    image = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(3))
    inner = (..., slice(reach, -reach), slice(reach, -reach))
    lifted = _run(network, image + 5.0) - 5.0
    torch.testing.assert_close(lifted[inner], _run(network, image)[inner], rtol=0, atol=2e-2)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_reach_and_period_are_the_measured_ones(name: str) -> None:
    info = load_builtin(name)[1]
    geometry = load_model(f"builtin:{name}", device="cpu").geometry
    assert geometry.reach == info["reach"]
    assert geometry.period == info["period"]


def _written(path: Path, network: BiasFreeUNet) -> Path:
    """A weights file as the training script writes it, with nothing trained in it."""
    made_of = {
        "dims": network.dims,
        "features": network.head.out_channels,
        "deep_features": network.down.out_channels,
        "blocks": network.blocks,
        "deep_blocks": network.deep_blocks,
    }
    words = {"architecture": "BiasFreeUNet", "seed": 1, "licence": "BSD-3-Clause"}
    metadata = {key: str(value) for key, value in {**made_of, **words}.items()}
    path.write_bytes(save({k: t.half() for k, t in network.state_dict().items()}, metadata))
    return path


@pytest.mark.parametrize("dims", [2, 3])
def test_weights_of_the_u_net_say_what_it_is_made_of(tmp_path: Path, dims: int) -> None:
    made = BiasFreeUNet(dims, 4, 6, blocks=2, deep_blocks=1)
    network, info = read_builtin(_written(tmp_path / "x.safetensors", made))
    assert isinstance(network, BiasFreeUNet)
    assert info["axes"] == ("YX" if dims == 2 else "ZYX")
    assert (info["reach"], info["period"]) == (made.reach, made.period)
    # float16 alone would leave a trace of the grey level
    shape = (1, 1, *(8,) * dims)
    flat = torch.full(shape, 1000.0)
    torch.testing.assert_close(_run(network, flat), flat, rtol=1e-6, atol=0)


def test_tiles_with_a_halo_equal_the_whole(network: nn.Module) -> None:
    image = torch.randn(1, 1, 256, 416, generator=torch.Generator().manual_seed(4))
    halo = 40
    assert halo >= max(load_builtin("denoise2d")[1]["reach"])
    tile = _run(network, image[..., 160:416])
    whole = _run(network, image)[..., 160:416]
    torch.testing.assert_close(tile[..., halo:], whole[..., halo:], rtol=0, atol=1e-5)


def test_camera_is_better_than_any_blur(network: nn.Module) -> None:
    clean = data.camera().astype(np.float64)
    noisy = clean + np.random.default_rng(0).normal(0, 25, clean.shape)
    denoised = _denoise(network, noisy)
    assert _psnr(noisy, clean) < 20.3
    assert _psnr(denoised, clean) >= 28.0
    assert abs(denoised.sum() / noisy.sum() - 1) < 0.01


@pytest.mark.parametrize(("name", "blur"), [("BPAE_B", 1.2), ("fish", 1.4)])
def test_real_noise_is_within_a_decibel_of_the_best_blur(
    network: nn.Module, shared: Path, name: str, blur: float
) -> None:
    noisy, clean = (
        tifffile.imread(shared / f"data/pairs/{name}_{kind}.tif").astype(np.float64)
        for kind in ("noisy", "avg50")
    )
    denoised = _denoise(network, noisy)
    assert _psnr(denoised, clean) >= _psnr(gaussian_filter(noisy, blur), clean) - 1.0
    assert abs(denoised.sum() / noisy.sum() - 1) < 0.01


def _stack(seed: int) -> Image:
    """Threads that run through ten planes, as a microscope sees them; 0 to 255."""
    rng = np.random.default_rng(seed)
    shape = (10, 96, 96)
    light = np.zeros(shape)
    for _ in range(60):
        way = np.cumsum(rng.normal(0, 0.4, (400, 3)) * (0.15, 1, 1) + rng.normal(0, 0.4, 3), axis=0)
        at = np.round(rng.uniform(0, 1, 3) * shape + way * (0.1, 1, 1)).astype(int)
        inside = ((at >= 0) & (at < shape)).all(1)
        np.add.at(light, tuple(at[inside].T), rng.uniform(0.3, 1))
    seen = gaussian_filter(light, (0.8, 1.3, 1.3))
    return 255 * np.clip(seen / np.quantile(seen, 0.999), 0, 1)


@pytest.mark.parametrize("sigma", [15, 45])
def test_a_volume_is_better_than_its_planes_one_by_one_and_than_any_blur(sigma: float) -> None:
    clean = _stack(7)
    noisy = (clean + np.random.default_rng(0).normal(0, sigma, clean.shape)).astype(np.float32)
    planes, volume = (
        predict(noisy, load_model(f"builtin:{name}", device="cpu")) for name in BUILTIN_NAMES
    )
    blurred = [
        gaussian_filter(noisy, (z, xy, xy))
        for z in (0, 0.4, 0.7, 1)
        for xy in (0.5, 0.8, 1.1, 1.5, 2)
    ]
    assert _psnr(volume, clean) >= _psnr(planes, clean) + 0.3
    assert _psnr(volume, clean) >= max(_psnr(blur, clean) for blur in blurred) + 1
    # most of it is black: of the noise, not of the mean
    assert abs(volume.mean() - noisy.mean()) < 0.01 * sigma


@pytest.mark.parametrize("scale", [2.0**-20, 0.1, 65535.0])
def test_gain_and_offset_do_not_matter_to_a_volume(scale: float) -> None:
    network = load_builtin("denoise3d")[0]
    image = torch.randn(1, 1, 6, 32, 48, generator=torch.Generator().manual_seed(3))
    plain = _run(network, image)
    torch.testing.assert_close(
        _run(network, scale * (image + 5)) / scale - 5, plain, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("name", "axes"), [("denoise2d", "YX"), ("denoise3d", "ZYX")])
def test_tiles_join_bit_for_bit(name: str, axes: str) -> None:
    model = load_model(f"builtin:{name}", device="cpu")
    shape, whole, tile = ((9, 150, 170), (16, 256, 256), (8, 128, 128))
    dims = len(axes)
    image = np.random.default_rng(5).normal(100, 10, shape[-dims:]).astype(np.float32)
    stack = open_stack(image, axes)
    plan = plan_prediction(stack, model, patch_size=tile[-dims:])
    assert plan.total_tiles >= 4
    assert plan.warnings == ()
    at_once = predict(stack, model, patch_size=whole[-dims:])
    assert predict(stack, model, plan=plan).tobytes() == at_once.tobytes()


def test_a_single_plane_is_a_volume_too() -> None:
    noisy = np.random.default_rng(6).normal(100, 10, (1, 64, 64)).astype(np.float32)
    denoised = predict(open_stack(noisy, "ZYX"), load_model("builtin:denoise3d", device="cpu"))
    assert denoised.shape == noisy.shape
    assert 0 < denoised.std() < 5
