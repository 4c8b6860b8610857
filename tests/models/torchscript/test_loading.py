from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.errors import ModelError
from napari_tessera.models.torchscript import load_torchscript, loading

from ..writing_modules import WritesOnCall, WritesOnLoad

Save = Callable[..., Path]
Rewrite = Callable[..., Path]


class _Harmless(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.factor = 3

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[0]


def _load_unchecked(path: Path) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(path)


def _assert_refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: .*{says}") as raised:
        load_torchscript(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("how", ["script", "trace", "script+freeze", "trace+freeze"])
def test_a_unet_comes_back_as_it_was(
    make_unet: Callable[..., nn.Module], save: Save, how: str
) -> None:
    network = make_unet()
    path = save(network, how=how)
    loaded = load_torchscript(path)
    image = torch.randn(2, 1, 72, 56)
    with torch.no_grad():
        answers = [loaded(image) for _ in range(3)]
        torch.testing.assert_close(answers[0], network(image), rtol=1e-5, atol=1e-6)
    # the program optimizes itself in its first calls: its answer must not change with that
    assert all(torch.equal(answer, answers[0]) for answer in answers)


def test_loading_says_nothing(save: Save, recwarn: pytest.WarningsRecorder) -> None:
    load_torchscript(save(_Harmless()))
    assert not recwarn.list


def test_dropout_is_off(save: Save) -> None:
    loaded = load_torchscript(save(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout(0.9)).train()))
    image = torch.randn(1, 1, 16, 16)
    assert torch.equal(loaded(image), loaded(image))


def test_code_in_setstate_does_not_run(save: Save, tmp_path: Path) -> None:
    target = tmp_path / "written"
    path = save(WritesOnLoad(str(target)))
    _load_unchecked(path)
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.unlink()
    _assert_refused(path, "__[gs]etstate__, which could run code")
    assert not target.exists()


def test_a_program_that_maps_files_is_refused(save: Save, tmp_path: Path) -> None:
    target = tmp_path / "written"
    path = save(WritesOnCall(str(target)))
    _load_unchecked(path)(torch.ones(1))
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.unlink()
    _assert_refused(path, "from_file")
    assert not target.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x: Tensor)", 'x: Tensor, y: int=torch.size(torch.from_file("{}", True, 10), 0))'),
        (
            "  factor : int",
            '  factor : Final[int] = torch.size(torch.from_file("{}", True, 10), 0)',
        ),
    ],
    ids=["default value", "class constant"],
)
def test_defaults_and_constants_do_not_run(
    save: Save, rewrite: Rewrite, tmp_path: Path, old: str, new: str
) -> None:
    target = tmp_path / "written"

    def edit(name: str, content: bytes) -> bytes:
        if name.endswith(".py"):
            assert old.encode() in content
            return content.replace(old.encode(), new.format(target).encode())
        return content

    path = rewrite(save(_Harmless()), edit)
    _load_unchecked(path)
    assert target.exists(), "the file is no longer dangerous: the test proves nothing"
    target.unlink()
    _assert_refused(path, "from_file")
    assert not target.exists()


def test_what_the_text_check_misses_the_program_check_sees(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "written"
    path = save(WritesOnCall(str(target)))
    monkeypatch.setattr(loading, "check_code", lambda code: None)
    _assert_refused(path, "aten::from_file")
    assert not target.exists()


def test_members_hidden_by_their_spelling_are_not_loaded(save: Save, tmp_path: Path) -> None:
    """PyTorch finds members whatever the case of their letters; Python does not."""
    plain = save(_Harmless(), "plain.pt")
    double = tmp_path / "double.pt"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(double, "w") as new:
        for member in old.namelist():
            new.writestr(member, old.read(member))
        code = next(name for name in old.namelist() if name.endswith(".py"))
        new.writestr(code.replace("code/", "CODE/"), old.read(code))
    _assert_refused(double, "stands twice")


def test_only_what_was_checked_goes_on(save: Save, rewrite: Rewrite) -> None:
    def spoil(name: str, content: bytes) -> bytes:
        return b"spoilt" if name.endswith("debug_pkl") else content

    loaded = load_torchscript(rewrite(save(_Harmless()), spoil))
    assert torch.equal(loaded(torch.ones(3)), torch.ones(3))


def test_a_pickle_that_names_python_objects_is_refused(save: Save, rewrite: Rewrite) -> None:
    def edit(name: str, content: bytes) -> bytes:
        return b"cos\nsystem\n." if name.endswith("constants.pkl") else content

    _assert_refused(rewrite(save(_Harmless()), edit), r"it needs os\.system")


def test_a_compiled_in_class_is_refused(save: Save, rewrite: Rewrite) -> None:
    def edit(name: str, content: bytes) -> bytes:
        pickled = b"c__torch__.torch.classes.quantized\nConv2dPackedParamsBase\n."
        return pickled if name.endswith("constants.pkl") else content

    _assert_refused(rewrite(save(_Harmless()), edit), "Conv2dPackedParamsBase")


@pytest.mark.parametrize("member", ["data.pkl", "constants.pkl", "version"])
def test_damaged_members_are_one_line(save: Save, rewrite: Rewrite, member: str) -> None:
    def edit(name: str, content: bytes) -> bytes:
        return b"\xff\x00 damaged" if name.endswith(member) else content

    _assert_refused(rewrite(save(_Harmless()), edit), "")


def test_a_program_optimized_for_inference_is_refused_with_a_way_out(save: Save) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.jit.trace(nn.Conv2d(1, 1, 3).eval(), torch.zeros(1, 1, 8, 8))
        path = save(torch.jit.optimize_for_inference(program))
    with zipfile.ZipFile(path) as archive:
        code = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".py"))
    if b"mkldnn" not in code:
        pytest.skip("this machine's PyTorch does not optimize for MKLDNN")
    _assert_refused(path, "save it before that step")


def test_a_file_of_old_pytorch_is_refused(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    path.write_bytes(save(_Harmless()).read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model/model.json", "{}")
    _assert_refused(path, "one folder|before 1.5")


def test_zip_bombs_are_refused_unread(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", b"")
        with archive.open("net/code/__torch__.py", "w", force_zip64=True) as member:
            for _ in range(80):
                member.write(bytes(2**20))
    _assert_refused(path, "times its size")


def test_a_broad_nuclei_unet_reproduces_its_reference(shared: Path) -> None:
    folder = shared / "models" / "bioimageio_unet2d_nuclei_broad"
    if not folder.is_dir():
        pytest.skip("shared/models/bioimageio_unet2d_nuclei_broad is not here")
    loaded = load_torchscript(folder / "weights.pt")
    image = torch.from_numpy(np.load(folder / "test_input.npy").astype(np.float32))
    expected = torch.from_numpy(np.load(folder / "test_output.npy"))
    mean = image.mean(dim=(2, 3), keepdim=True)
    std = image.std(dim=(2, 3), keepdim=True, correction=0)
    with torch.no_grad():
        answer = torch.sigmoid(loaded((image - mean) / (std + 1e-6)))
    assert float((answer - expected).abs().max()) < 1e-5
