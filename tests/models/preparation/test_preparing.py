"""Whatever is done to a network for speed, it computes what the plain one computes."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_tessera import load_model
from napari_tessera.models.architectures.unet import UNet
from napari_tessera.models.architectures.unet_settings import UNetSettings
from napari_tessera.models.builtin_names import BUILTIN_NAMES
from napari_tessera.models.preparation import PreparedNetwork, prepare
from napari_tessera.models.preparation.comparing import TOLERANCE, share_of_range
from napari_tessera.models.preparation.fused import can_fuse

FOLDED = "batch norms folded"


def trained(network: nn.Module) -> nn.Module:
    """Numbers as training leaves them: batch norms that do something."""
    torch.manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            if module.running_mean is not None:
                nn.init.normal_(module.running_mean, 0.0, 0.3)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.2)
        elif isinstance(module, nn.modules.conv._ConvNd):
            # as of a trained network: what comes out spreads instead of dying away
            nn.init.kaiming_normal_(module.weight)
    return network.eval().requires_grad_(False)


def noise(dims: int = 2, channels: int = 1, size: int = 0) -> Tensor:
    torch.manual_seed(4)
    return torch.randn(2, channels, *((size or 64,) * 2 if dims == 2 else (8, 32, 32)))


def check(network: nn.Module, batch: Tensor, *words: str) -> PreparedNetwork | nn.Module:
    """Prepare, and compare on other tiles than the preparation itself did."""
    before = copy.deepcopy(network.state_dict())
    made = prepare(network, batch)
    for other in (batch.flip(-1) * 3, batch[:1, ..., :32], torch.cat([batch, batch])):
        with torch.no_grad():
            expected, answer = network(other.clone()), made.network(other.clone())
        assert answer.shape == expected.shape
        assert answer.is_contiguous()
        assert share_of_range(answer, expected) <= TOLERANCE
    for word in words:
        assert word in made.words
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    return made.network  # type: ignore[return-value]


@pytest.mark.parametrize(
    "settings",
    [
        UNetSettings(2, depth=2, features=8),
        UNetSettings(2, depth=2, features=8, batch_norm=False, residual=True),
        UNetSettings(2, depth=2, features=8, n2v2=True, activation="tanh"),
        UNetSettings(2, in_channels=3, out_channels=3, depth=2, features=4),
        UNetSettings(2, in_channels=3, out_channels=2, depth=1, features=8, independent=False),
        UNetSettings(3, depth=2, features=4),
        UNetSettings(3, depth=2, features=4, n2v2=True),
    ],
    ids=lambda settings: f"{settings.spatial_dims}d-{settings.in_channels}-{settings.n2v2}",
)
def test_unets(settings: UNetSettings) -> None:
    made = check(
        trained(UNet(settings)),
        noise(settings.spatial_dims, settings.in_channels),
        *((FOLDED,) if settings.batch_norm else ()),
        "channels-last",
    )
    assert isinstance(made, PreparedNetwork)


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_the_built_in_networks(name: str) -> None:
    model = load_model(f"builtin:{name}")
    # of noise alone they leave next to nothing, whose range is no measure of rounding
    tile = noise(model.spatial_dims)
    tile = tile + torch.linspace(-4, 4, tile.shape[-1])
    check(model.loaded.network, tile, "channels-last")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_the_built_in_networks_are_prepared_by_the_tile_that_models_are_prepared_with(
    name: str,
) -> None:
    model = load_model(f"builtin:{name}", device="cpu")
    model(noise(model.spatial_dims))
    assert "channels-last" in model.info.preparation


class _Branches(nn.Module):
    """What a rewriting gets wrong that looks at one layer alone."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.first = nn.Conv2d(1, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.other_norm = nn.BatchNorm2d(6, affine=False)
        self.act = nn.LeakyReLU(0.2)
        self.last = nn.Conv2d(6, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "input":
            # the input itself is needed once more behind its activation
            return self.last(torch.relu(self.first(torch.relu(x)))) + x
        y = self.first(x)
        if self.kind == "skip":
            return self.last(self.act(y) + self.norm(y) + y)
        if self.kind == "norm before":
            return self.last(self.act(self.second(self.norm(torch.relu(y)))))
        if self.kind == "shared":
            # one activation, one convolution, two batch norms
            y = self.act(self.norm(self.second(y)))
            return self.last(self.act(self.other_norm(self.second(y))))
        if self.kind == "functional":
            y = functional.leaky_relu(self.second(functional.relu(y)), 0.3)
            return self.last(functional.elu(self.second(y), 0.7).relu())
        if self.kind == "view":
            return self.last(torch.relu(y.flatten(1)).reshape(y.shape) + y)
        if self.kind == "twice":
            return self.last(torch.relu(y) * y)
        if self.kind == "user in place":
            y = self.second(torch.relu(y))
            z = functional.relu(y, inplace=True)
            return self.last(y + z)
        raise AssertionError(self.kind)


@pytest.mark.parametrize(
    "kind",
    ["input", "skip", "norm before", "shared", "functional", "view", "twice", "user in place"],
)
def test_networks_with_branches(kind: str) -> None:
    check(trained(_Branches(kind)), noise())


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(1, 8, 3, padding=2, dilation=2), nn.BatchNorm2d(8, affine=False), nn.ReLU()],
        [nn.Conv2d(1, 8, 3, padding="same", bias=False), nn.BatchNorm2d(8), nn.SiLU()],
        [nn.Conv2d(1, 8, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(8), nn.ELU(0.5)],
        [nn.Conv2d(1, 8, 3), nn.Dropout2d(0.5), nn.BatchNorm2d(8), nn.Identity(), nn.ReLU6()],
        [nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8), nn.ReLU(inplace=True)],
        [
            nn.Conv2d(1, 8, 1),
            nn.Conv2d(8, 8, 3, padding=1, groups=4),
            nn.BatchNorm2d(8),
            nn.PReLU(),
        ],
        [nn.Conv2d(1, 8, 1), nn.ConvTranspose2d(8, 6, 2, stride=2), nn.BatchNorm2d(6), nn.ReLU()],
        [
            nn.Conv2d(1, 8, 1),
            nn.ConvTranspose2d(8, 12, 3, groups=4, bias=False),
            nn.BatchNorm2d(12),
            nn.LeakyReLU(),
        ],
        [nn.ReLU(), nn.BatchNorm2d(1), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, track_running_stats=False), nn.ReLU()],
        [nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 8, 3)), nn.BatchNorm2d(8)],
    ],
    ids=lambda layers: "-".join(type(layer).__name__ for layer in layers),
)
def test_layers_of_many_kinds(layers: list[nn.Module]) -> None:
    check(trained(nn.Sequential(*layers)), noise())


@pytest.mark.parametrize(
    ("layers", "is_folded"),
    [
        ([nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)], True),
        ([nn.Conv2d(1, 8, 1), nn.ConvTranspose2d(8, 12, 3, groups=4), nn.BatchNorm2d(12)], True),
        ([nn.BatchNorm2d(1), nn.Conv2d(1, 8, 3, padding=1)], False),
        ([nn.Conv2d(1, 8, 3), nn.ReLU(), nn.BatchNorm2d(8)], False),
        ([nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, track_running_stats=False)], False),
    ],
)
def test_only_what_follows_a_convolution_is_folded(
    layers: list[nn.Module], is_folded: bool
) -> None:
    network = trained(nn.Sequential(*layers))
    assert (FOLDED in prepare(network, noise()).words) is is_folded


def test_a_batch_norm_that_trains_is_left_alone() -> None:
    network = trained(nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)))
    network[1].train()  # type: ignore[index]
    network[1].momentum = 0.0  # type: ignore[index]
    batch = noise()
    made = prepare(network, batch)
    assert FOLDED not in made.words
    with torch.no_grad():
        assert share_of_range(made.network(batch), network(batch)) <= TOLERANCE


class _Deciding(nn.Module):
    """Code that cannot be followed without values, or sizes."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.by = by
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first(x))
        if self.by == "value" and bool(x.mean() > 0):
            y = y * 2
        if self.by == "size" and int(x.shape[-1]) % 8:
            y = y + 1
        return self.last(y)


@pytest.mark.parametrize("by", ["value", "size"])
def test_code_that_cannot_be_followed_is_laid_out_only(by: str) -> None:
    made = prepare(trained(_Deciding(by)), noise())
    assert made.words == "channels-last"
    check(trained(_Deciding(by)), noise())


class _Random(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) + torch.rand_like(x)


class _Viewing(nn.Module):
    """Takes for granted how its tensors lie in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.layer = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.layer(self.first(x)))
        return y.view(y.shape[0], -1).view(y.shape) * 2


def test_what_does_not_agree_is_not_taken() -> None:
    network = trained(_Random())
    made = prepare(network, noise())
    assert (made.network, made.words) == (network, "")
    viewing = prepare(trained(_Viewing()), noise())
    assert viewing.words == FOLDED
    check(trained(_Viewing()), noise(), FOLDED)


def test_nothing_raises() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("no")

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)

        def __deepcopy__(self, memo: object) -> nn.Module:
            raise TypeError("not me")

    for network in (Broken(), Pair(), Stubborn().eval()):
        assert prepare(network, noise()).network is network

    def function(x: Tensor) -> Tensor:
        return x

    assert prepare(function, noise()).network is function


def test_hooks_are_kept() -> None:
    network = trained(nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()))
    network[0].register_forward_hook(lambda module, given, made: made * 2)  # type: ignore[index]
    made = check(network, noise())
    with torch.no_grad():
        assert share_of_range(made(noise()), network(noise())) <= TOLERANCE
    assert FOLDED not in prepare(network, noise()).words


def test_nan_goes_where_it_goes_in_the_plain_network() -> None:
    network = trained(UNet(UNetSettings(2, depth=2, features=8)))
    made = prepare(network, noise()).network
    batch = noise()
    batch[0, 0, 30, 30] = torch.nan
    batch[1, 0, 10, 10] = torch.inf
    with torch.no_grad():
        assert torch.equal(torch.isfinite(made(batch)), torch.isfinite(network(batch)))


def test_the_same_bytes_whatever_ran_before() -> None:
    network = trained(UNet(UNetSettings(2, depth=2, features=8)))
    batch = noise(size=96)
    answers = []
    for others in ([], [noise(size=64)], [noise(size=128), noise(size=32)]):
        made = prepare(network, noise()).network
        with torch.no_grad():
            for other in others:
                made(other)
            answers += [made(batch), made(batch)]
    assert all(torch.equal(answer, answers[0]) for answer in answers)


def test_without_onednn_the_next_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    network = trained(UNet(UNetSettings(2, depth=1, features=8)))
    assert ("oneDNN" in prepare(network, noise()).words) is can_fuse()
    monkeypatch.setattr("napari_tessera.models.preparation.preparing.can_fuse", lambda: False)
    made = prepare(network, noise())
    assert made.words == f"{FOLDED}, activations in place, channels-last"
    check(network, noise(), "activations in place")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_reduced_precision_is_no_farther_off_than_the_plain_network(dtype: torch.dtype) -> None:
    network = trained(UNet(UNetSettings(2, depth=2, features=8)))

    def casting() -> torch.autocast:
        return torch.autocast("cpu", dtype)

    made = prepare(network, noise(), casting, is_float32=False)
    assert "oneDNN" not in made.words
    other = noise().flip(-2)
    with torch.no_grad():
        expected = network(other)
        with casting():
            plain, prepared = network(other), made.network(other)
    assert share_of_range(prepared, expected) <= 2 * share_of_range(plain, expected) + TOLERANCE
    assert prepared.dtype == plain.dtype


@pytest.mark.parametrize("how", ["script", "trace", "frozen"])
def test_torchscript(make_unet: Callable[..., nn.Module], how: str, tmp_path: Path) -> None:
    network = trained(make_unet(norm=nn.BatchNorm2d))
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch says that it will have no TorchScript one day
        warnings.filterwarnings("ignore", "`torch.jit")
        program = (
            torch.jit.script(network) if how == "script" else torch.jit.trace(network, noise())
        )
        if how == "frozen":
            program = torch.jit.freeze(program)
    program.save(str(tmp_path / "net.pt"))
    model = load_model(tmp_path / "net.pt", device="cpu")
    assert model.preparation.startswith("TorchScript frozen")
    batch = noise()
    with torch.no_grad():
        expected = network(batch)
    answers = [model(batch) for _ in range(4)]
    assert all(torch.equal(answer, answers[0]) for answer in answers)
    assert share_of_range(answers[0], expected) <= TOLERANCE


def test_real_models(shared: Path) -> None:
    names = ["careamics_n2v_2d", "careamics_n2v2_2d", "bioimageio_unet2d_nuclei_broad", "dncnn_25"]
    for name in names:
        folder = shared / "models" / name
        source = next((path for end in ("*.ckpt", "*.pth") for path in folder.glob(end)), folder)
        plain = load_model(source, device="cpu", prepare=False)
        model = load_model(source, device="cpu")
        assert model.prepared
        assert not plain.prepared
        assert model.preparation != plain.preparation
        batch = noise(size=128)
        assert share_of_range(model(batch), plain(batch)) <= TOLERANCE
