from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models import BUILTIN_NAMES, ModelError, load_model
from napari_tessera.models.builtin_names import BUILTIN_TITLES

Save = Callable[..., Path]


class _Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def _assert_refused(source: object, says: str) -> None:
    with pytest.raises(ModelError, match=says) as raised:
        load_model(source)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_torchscript_files(make_unet: Callable[..., nn.Module], save: Save) -> None:
    network = make_unet(channels=2)
    path = save(network, "two.pt", how="script")
    model = load_model(str(path), device="cpu")
    assert (model.name, model.source) == ("two.pt", str(path))
    assert (model.spatial_dims, model.in_channels) == (2, 2)
    assert model.default_normalization == "time_point"
    assert model.geometry.out_channels == 2
    assert model.sha256 == load_model(path).sha256


def test_the_files_that_come_with_shared(shared: Path) -> None:
    path = shared / "models" / "bioimageio_unet2d_nuclei_broad" / "weights.pt"
    if not path.is_file():
        pytest.skip("shared/models/bioimageio_unet2d_nuclei_broad is not here")
    model = load_model(path)
    assert (model.spatial_dims, model.in_channels) == (2, 1)
    assert model.sha256 == "a4b0659a1b48454588b12179855ad0a0c9b69ccaa89b8bb06e6271e8f60b02fe"
    assert model.geometry.reach is not None
    assert model.geometry.period == (8, 8)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_builtin_models(name: str) -> None:
    model = load_model(f"builtin:{name}")
    assert model.name == f"builtin:{name}"
    assert (model.spatial_dims, model.in_channels) == (3 if name.endswith("3d") else 2, 1)
    assert model.default_normalization == "time_point"
    assert len(model.sha256) == 64
    assert model.info.about.title == BUILTIN_TITLES[name]
    assert "steps" in (model.info.about.training or "")


def test_modules_are_copied_and_left_alone() -> None:
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Dropout(0.5)).train()
    module[0].requires_grad_(True)
    model = load_model(module)
    image = torch.randn(1, 3, 16, 16)
    first = model(image)
    assert torch.equal(model(image), first), "dropout is on"
    assert module.training
    assert module[1].training
    assert all(parameter.requires_grad for parameter in module.parameters())
    with torch.no_grad():
        module[0].weight.zero_()
    assert torch.equal(model(image), first), "the model changed with the module"
    assert (model.in_channels, model.default_normalization) == (3, "none")
    assert (model.name, model.source) == ("Sequential", "python:Sequential")


@pytest.mark.parametrize("how", ["script", "trace", "script+freeze", "trace+freeze", "exported"])
def test_programs_are_passed_as_modules(
    make_unet: Callable[..., nn.Module], export: Callable[..., nn.Module], how: str
) -> None:
    network = make_unet()
    image = torch.randn(1, 1, 128, 128)
    if how == "exported":
        program = torch.export.export(network, (image,)).module()
    else:
        program = export(network, how)
    model = load_model(program, device="cpu")
    with torch.no_grad():
        assert torch.allclose(model(image), network(image), atol=1e-5)
    assert (model.geometry.reach, model.geometry.period) == ((26, 26), (4, 4))
    assert model.geometry.sizes.is_fixed == (how == "exported")


def test_a_module_in_double_precision_runs_in_float32() -> None:
    model = load_model(nn.Conv2d(1, 1, 3, padding=1).double())
    assert model(torch.zeros(1, 1, 8, 8)).dtype == torch.float32


def test_a_compiled_module_is_unwrapped() -> None:
    class Wrapper(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self._orig_mod = inner

    assert load_model(Wrapper(nn.Conv2d(1, 1, 1))).name == "Conv2d"
    assert load_model(nn.DataParallel(nn.Conv3d(2, 1, 1))).spatial_dims == 3


def test_functions() -> None:
    def brighten(x: Tensor) -> np.ndarray:
        return np.asarray(x) * 2

    model = load_model(brighten)
    assert (model.name, model.default_normalization) == ("brighten", "none")
    assert (model.spatial_dims, model.in_channels) == (2, None)
    assert model.device == torch.device("cpu")
    assert torch.equal(model(torch.ones(1, 4, 8, 8)), torch.full((1, 4, 8, 8), 2.0))
    assert load_model(brighten, spatial_dims=3).geometry.reach == (0, 0, 0)
    assert load_model(brighten, in_channels=1).in_channels == 1


def test_a_model_passes_through() -> None:
    model = load_model(lambda x: x, precision="bfloat16")
    assert load_model(model) is model
    assert load_model(model, precision="float32").precision == "float32"


def test_missing_empty_text_and_folders(tmp_path: Path) -> None:
    _assert_refused(tmp_path / "none.pt", "^none.pt cannot be loaded: there is no file .*none.pt")
    (tmp_path / "empty.pt").touch()
    _assert_refused(tmp_path / "empty.pt", r"^empty.pt cannot be loaded: it is empty \(0 bytes\)")
    (tmp_path / "notes.pt").write_text("not a model")
    _assert_refused(tmp_path / "notes.pt", "^notes.pt cannot be loaded: it is no model file")
    _assert_refused(tmp_path, f"^{tmp_path.name} cannot be loaded: it is a folder")
    _assert_refused(Path("~of-nobody/net.pt"), r"there is no file ~of-nobody/net\.pt")
    _assert_refused("", "^the name of the model is empty: give a file, or builtin:denoise2d$")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files(tmp_path: Path) -> None:
    path = tmp_path / "secret.pt"
    path.write_text("x")
    path.chmod(0)
    _assert_refused(path, "^secret.pt cannot be loaded: it cannot be read")


@pytest.mark.parametrize("legacy", [False, True])
def test_state_dicts_are_not_networks(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(nn.Conv2d(1, 1, 3).state_dict(), path, _use_new_zipfile_serialization=not legacy)
    _assert_refused(path, "^weights.pth cannot be loaded: it holds weights only")


@pytest.mark.parametrize("legacy", [False, True])
def test_pickles_are_never_opened(tmp_path: Path, legacy: bool) -> None:
    target = tmp_path / "touched"
    path = tmp_path / "net.pt"
    torch.save(_Touch(target), path, _use_new_zipfile_serialization=not legacy)
    _assert_refused(path, r"^net.pt cannot be loaded: it holds a pickled Python object .*mkdir")
    path.write_bytes(pickle.dumps(_Touch(target), protocol=5))
    _assert_refused(path, "pickled Python object .*mkdir")
    assert not target.exists()
    torch.save(nn.Conv2d(1, 1, 3), path, _use_new_zipfile_serialization=not legacy)
    _assert_refused(path, r"pickled Python object \(torch.nn.modules.conv.Conv2d\)")


def test_other_archives(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    _assert_refused(path, "^some.zip cannot be loaded: it is a zip archive without a model")
    path.write_bytes(path.read_bytes()[:40])
    _assert_refused(path, "damaged zip archive")


def test_what_is_neither_path_nor_module_nor_function() -> None:
    _assert_refused(3, "^3 cannot be loaded: it is neither")
    _assert_refused(nn.Conv2d, "^the class Conv2d cannot be loaded: .*Pass an instance")
    _assert_refused("builtin:nothing", "^builtin:nothing cannot be loaded: .*builtin:denoise2d")


def test_a_module_that_cannot_be_copied() -> None:
    module = nn.Conv2d(1, 1, 1)
    module.kept = module(torch.zeros(1, 1, 4, 4))
    _assert_refused(module, "^Conv2d cannot be loaded: the module cannot be copied .*lambda x")


def test_naming_the_room_loads_no_torch() -> None:
    code = "import sys, napari_tessera.models; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="spatial_dims 4 is neither 2"):
        load_model("builtin:denoise2d", spatial_dims=4)
    with pytest.raises(ValueError, match="in_channels 0 is less than 1"):
        load_model("builtin:denoise2d", in_channels=0)
    with pytest.raises(ValueError, match=r"precision 'int8' is none of .*float32"):
        load_model("builtin:denoise2d", precision="int8")
    with pytest.raises(ValueError, match=r"device 'tpu' is not on this machine: use auto.* or cpu"):
        load_model("builtin:denoise2d", device="tpu")


def test_networks_without_padding_and_of_another_scale_are_loaded(save: Save) -> None:
    model = load_model(save(nn.Conv2d(1, 1, 3), "valid.pt"))
    assert model.geometry.offset == (1, 1)
    larger = load_model(save(nn.ConvTranspose2d(1, 1, 2, 2), "larger.pt"))
    assert larger.info.output_scale == (2.0, 2.0)
    with pytest.raises(ModelError, match=r"^larger.pt cannot be used: .* has 2×2 times the pixels"):
        larger(torch.zeros(1, 1, 8, 8))
