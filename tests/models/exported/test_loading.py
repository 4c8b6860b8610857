from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from napari_tessera.models import ModelError, load_model
from napari_tessera.models.exported import load_exported
from napari_tessera.models.sizes import ValidSizes

Make = Callable[..., Any]

IMAGE = torch.zeros(2, 1, 64, 64)


def _assert_refused(path: Path, says: str) -> None:
    with pytest.raises(ModelError, match=f"^{path.name} cannot be loaded: .*{says}") as raised:
        load_exported(path)
    assert "\n" not in str(raised.value)


def _assert_same(answer: Tensor, expected: Tensor) -> None:
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, expected, rtol=1e-5, atol=1e-6)


def test_what_a_program_says_of_itself(small_program: Path) -> None:
    loaded = load_exported(small_program)
    assert (loaded.name, loaded.source) == ("small.pt2", str(small_program))
    assert loaded.format == "torch.export program"
    assert loaded.sha256 == hashlib.sha256(small_program.read_bytes()).hexdigest()
    assert (loaded.spatial_dims, loaded.in_channels, loaded.any_channels) == (2, 1, False)
    assert loaded.sizes == ValidSizes.fixed((16, 16))
    assert (loaded.sizes_are_strict, loaded.batch) == (True, 1)
    assert isinstance(loaded.network, nn.Module)
    assert sum(weight.numel() for weight in loaded.network.parameters()) == 10


def test_multiples_of_four(make_unet: Make, export_program: Make) -> None:
    network = make_unet()
    axes = {0: Dim("b", max=8), 2: 4 * Dim("y", min=4, max=512), 3: 4 * Dim("x", min=4)}
    loaded = load_exported(export_program(network, IMAGE, shapes=(axes,)))
    assert loaded.sizes == ValidSizes((16, 16), (4, 4), (2048, None))
    assert (loaded.batch, loaded.in_channels) == (None, 1)
    with torch.no_grad():
        # more samples than it takes at once
        for shape in ((1, 1, 16, 20), (11, 1, 64, 96)):
            image = torch.randn(shape)
            _assert_same(loaded.network(image), network(image))


class _OfBytes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to(torch.float32) * 2


def test_whole_numbers_are_rounded_and_do_not_wrap(export_program: Make) -> None:
    loaded = load_exported(export_program(_OfBytes(), torch.zeros(1, 1, 16, 16, dtype=torch.uint8)))
    assert loaded.dtype == "uint8"
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 0, :4] = torch.tensor([1.6, 300.0, -5.0, 7.0])
    assert loaded.network(image)[0, 0, 0, :4].tolist() == [4.0, 510.0, 0.0, 14.0]


class _Joined(nn.Module):
    """What makes a U-Net take only multiples: what was pooled is joined with what was not."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU())
        self.around = nn.Sequential(nn.MaxPool2d(4), nn.Upsample(scale_factor=4))

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        return torch.cat([first, self.around(first)], dim=1)[:, :1]


@pytest.mark.parametrize("decompose", [False, True])
def test_sizes_left_to_pytorch(export_program: Make, decompose: bool) -> None:
    """Multiples of four stand in the program's guards then, and not in its sizes."""
    network = _Joined().eval()
    auto = {0: Dim.AUTO, 2: Dim.AUTO, 3: Dim.AUTO}
    path = export_program(network, IMAGE, shapes=(auto,), decompose=decompose)
    loaded = load_exported(path)
    assert loaded.sizes is not None
    assert (loaded.sizes.step, loaded.sizes.maximum) == ((4, 4), (None, None))
    assert max(loaded.sizes.minimum) <= 8
    assert loaded.batch is None
    with torch.no_grad():
        image = torch.randn(1, 1, 72, 56)
        _assert_same(loaded.network(image), network(image))


def test_volumes(make_unet: Make, export_program: Make) -> None:
    network = make_unet(spatial_dims=3, channels=2)
    path = export_program(network, torch.zeros(1, 2, 16, 16, 16))
    loaded = load_exported(path)
    assert (loaded.spatial_dims, loaded.in_channels, loaded.batch) == (3, 2, 1)
    assert loaded.sizes == ValidSizes.fixed((16, 16, 16))
    image = torch.randn(1, 2, 16, 16, 16)
    with torch.no_grad():
        _assert_same(loaded.network(image), network(image))


def test_sizes_that_hang_together_are_fixed(export_program: Make) -> None:
    side = Dim("side", min=16)
    network = nn.Conv2d(1, 1, 3, padding=1)
    loaded = load_exported(export_program(network, IMAGE, shapes=({2: side, 3: side},)))
    assert loaded.sizes == ValidSizes.fixed((64, 64))


def test_any_number_of_channels(export_program: Make) -> None:
    auto = dict.fromkeys(range(4), Dim.AUTO)
    loaded = load_exported(export_program(nn.ReLU(), torch.zeros(2, 3, 8, 8), shapes=(auto,)))
    assert (loaded.in_channels, loaded.any_channels) == (None, True)
    assert loaded.network(torch.ones(1, 1, 4, 4)).sum() == 16


class _ManyWays(nn.Module):
    """Things that programs have beside layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.register_buffer("kept", torch.full((2, 1, 1), 0.5))
        self.register_buffer("unsaved", torch.full((2, 1, 1), 2.0), persistent=False)
        self.register_buffer("none", torch.zeros(0))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            y = self.first(x) * self.kept + self.unsaved
        with torch.autocast("cpu", torch.bfloat16):
            z = torch.einsum("nchw,dc->ndhw", y, torch.ones(1, 2))
        ramp = torch.arange(x.shape[-1], device=x.device)
        return {
            "image": nn.functional.pad(z.float(), (1, 1, 1, 1), "reflect")[..., 1:-1, 1:-1] + ramp
        }


class _Ramp(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[-1], device=x.device) + torch.tensor([3.0])


def test_other_parts_of_programs(export_program: Make) -> None:
    network = _ManyWays().eval()
    loaded = load_exported(export_program(network, IMAGE))
    image = torch.randn(2, 1, 64, 64)
    _assert_same(loaded.network(image), network(image)["image"])


def test_half_precision(export_program: Make) -> None:
    network = nn.Conv2d(1, 1, 3, padding=1).half().eval()
    loaded = load_exported(export_program(network, IMAGE.half()))
    image = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        _assert_same(loaded.network(image), network(image.half()).float())


def test_it_stays_as_it_was_exported(small_program: Path) -> None:
    network = load_exported(small_program).network
    assert isinstance(network, nn.Module)
    assert not network.train().training
    assert not any(weight.requires_grad for weight in network.parameters())


def test_other_sizes_are_refused_by_the_program(small_program: Path) -> None:
    network = load_exported(small_program).network
    with pytest.raises(RuntimeError, match="to be equal to 16"):
        network(torch.zeros(1, 1, 16, 20))


@pytest.mark.parametrize(
    ("module", "decompose"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), False),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)), True),
        (nn.Dropout(0.5), False),
        (nn.Dropout(0.5), True),
        (nn.Dropout2d(0.5), False),
    ],
)
def test_programs_that_train_are_refused(
    export_program: Make, module: nn.Module, decompose: bool
) -> None:
    path = export_program(module.train(), IMAGE, decompose=decompose)
    _assert_refused(path, r"Export it in evaluation mode: torch.export.export\(net.eval\(\)")


class _Two(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class _Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x * 2


def test_one_image_in_and_one_out(export_program: Make) -> None:
    _assert_refused(export_program(_Two(), IMAGE, IMAGE), "it takes 2 images and returns 1 image")
    _assert_refused(export_program(_Pair(), IMAGE), "it takes 1 image and returns 2")
    path = export_program(nn.ReLU(), torch.zeros(64, 64))
    _assert_refused(path, "its input has the axes 64×64. Export it with the axes: samples, chan")
    _assert_refused(export_program(nn.ReLU(), torch.tensor(1.0)), "the axes of one number")


@torch.library.custom_op("tessera_tests::double", mutates_args=())
def _double(x: Tensor) -> Tensor:
    return x * 2


@_double.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class _Custom(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _double(x)


def test_custom_operations_are_refused(export_program: Make) -> None:
    path = export_program(_Custom(), IMAGE)
    _assert_refused(path, "it needs the custom operation torch.ops.tessera_tests.double")


def test_names_of_weights_may_be_anything_a_module_allows(export_program: Make) -> None:
    network = nn.Module()
    network.add_module("a-b", nn.Conv2d(1, 1, 1))
    network.forward = lambda x: network.get_submodule("a-b")(x)  # type: ignore[method-assign]
    loaded = load_exported(export_program(network, IMAGE))
    _assert_same(loaded.network(IMAGE), network(IMAGE).detach())


def test_programs_of_a_gpu_run_on_the_cpu(edit: Make, small_program: Path) -> None:
    def change(value: Any) -> Any:
        text = json.dumps(value).replace(
            '"type": "cpu", "index": null', '"type": "cuda", "index": 0'
        )
        assert "cuda" in text
        return json.loads(text)

    path = edit({"models/model.json": change, "data/weights/model_weights_config.json": change})
    image = torch.randn(1, 1, 16, 16)
    expected = load_exported(small_program).network(image)
    assert torch.equal(load_exported(path).network(image), expected)


def test_on_another_device(export_program: Make) -> None:
    """A device without memory shows that nothing stays behind on the CPU."""
    network: Any = load_exported(export_program(_Ramp().eval(), IMAGE)).network
    moved = network.placed_on(torch.device("meta"))
    assert moved(IMAGE.to("meta")).device.type == "meta"
    assert network(IMAGE).device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_on_cuda(export_program: Make) -> None:
    path = export_program(_ManyWays().eval(), IMAGE)
    image = torch.randn(2, 1, 64, 64)
    expected = load_model(path, device="cpu")(image)
    answer = load_model(path, device="cuda")(image.cuda()).cpu()
    torch.testing.assert_close(answer, expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        ("models/model.json", "it holds 0 programs"),
        ("data/weights/model_weights_config.json", "is missing"),
        ("data/weights/weight_0", "its weight 0.weight is missing"),
        ("archive_version", "is missing"),
    ],
)
def test_missing_members(edit: Make, member: str, says: str) -> None:
    _assert_refused(edit({member: None}), says)


@pytest.mark.parametrize(
    ("member", "content", "says"),
    [
        ("models/model.json", b"{", "its list of operations is damaged"),
        ("models/model.json", b"[" * 10**5, "its list of operations is damaged"),
        ("models/model.json", b"[]", "its list of operations is damaged"),
        ("models/other.json", b"{}", "it holds 2 programs"),
        ("data/weights/model_weights_config.json", b"{", "its list of weights is damaged"),
        ("data/weights/model_weights_config.json", b'{"config": 3}', "its list of weights is dama"),
        ("data/weights/weight_0", b"short", "PyTorch refuses it"),
        ("data/weights/weight_0", b"", "one of its weights is empty"),
        ("byteorder", b"big", "another byte order"),
        ("archive_version", b"7", "PyTorch refuses it .*version 7"),
    ],
)
def test_damaged_members(edit: Make, member: str, content: bytes, says: str) -> None:
    _assert_refused(edit({member: content}), says)


def test_loading_says_nothing(
    edit: Make, small_program: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load_exported(small_program)
    with pytest.raises(ModelError):
        load_exported(edit({"data/weights/weight_0": b"short"}))
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_what_pytorch_refuses_is_told_and_nothing_is_written(
    edit: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    def change(program: Any) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        values["relu"]["dtype"] = 99

    path = edit({"models/model.json": change})
    with pytest.raises(ModelError, match=r"PyTorch refuses it \((?!We ran)[^\n]*\)\. Export"):
        load_exported(path)
    assert capfd.readouterr().err == ""
