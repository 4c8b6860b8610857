"""Networks are laid open without a change to what other threads call."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from napari_tessera import load_model, open_stack, plan_prediction, predict
from napari_tessera.models.preparation import prepare
from napari_tessera.models.preparation.tracing import traced


def network(blocks: int = 6) -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for i in range(blocks):
        layers += [nn.Conv2d(4 if i else 1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(4, 1, 1)).eval().requires_grad_(False)


def test_another_thread_calls_its_modules_meanwhile() -> None:
    before = (nn.Module.__call__, nn.Module.__getattr__, math.sqrt)
    foreign = nn.Sequential(*[nn.Conv2d(1, 1, 1) for _ in range(4)])
    begun, stop = threading.Event(), threading.Event()
    failed: list[Exception] = []
    changed: list[str] = []

    def call() -> None:
        while not stop.is_set():
            try:
                foreign(torch.zeros(1, 1, 4, 4))
            except Exception as error:
                failed.append(error)
            if (nn.Module.__call__, nn.Module.__getattr__, math.sqrt) != before:
                changed.append("changed")
            begun.set()

    def follow() -> None:
        for _ in range(15):
            assert traced(opened) is not None

    opened = network(20)
    caller = threading.Thread(target=call)
    followers = [threading.Thread(target=follow) for _ in range(2)]
    caller.start()
    try:
        assert begun.wait(20)
        for follower in followers:
            follower.start()
        for follower in followers:
            follower.join()
    finally:
        stop.set()
        caller.join()
    assert not failed
    assert not changed
    assert (nn.Module.__call__, nn.Module.__getattr__, math.sqrt) == before


def test_three_prepared_replicas_give_the_bytes_of_one() -> None:
    image = open_stack(torch.randn(200, 210, generator=torch.Generator().manual_seed(1)).numpy())
    model = load_model(network(), device="cpu,cpu,cpu", spatial_dims=2, in_channels=1, prepare=True)
    plan = plan_prediction(image, model, patch_size=96, overlaps=32)
    one = model.to("cpu")
    assert "batch norms folded" in one.preparation
    expected = predict(image, one, plan=plan)
    # anew, so that each prepares its own while the others run
    again = model.to("cpu,cpu,cpu")
    assert predict(image, again, plan=plan).tobytes() == expected.tobytes()
    assert [replica.preparation for replica in again.replicas] == [one.preparation] * 3


def test_what_is_followed_is_what_the_tracer_of_pytorch_finds() -> None:
    found = traced(network())
    assert found is not None
    theirs = fx.Tracer().trace(network())
    assert [(n.op, n.target) for n in found.graph.nodes if n.op == "call_module"] == [
        (n.op, n.target) for n in theirs.nodes if n.op == "call_module"
    ]


def test_the_network_stays_as_it_is() -> None:
    plain = network()
    before = [dict(vars(inner)) for inner in plain.modules()]
    opened = traced(plain)
    assert opened is not None
    assert [dict(vars(inner)) for inner in plain.modules()] == before
    assert all("forward" not in vars(inner) for inner in opened.modules() if inner is not opened)


class _Calling(nn.Sequential):
    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x).clamp(-30, 30)


def _root_hook(net: nn.Module) -> nn.Module:
    net.register_forward_hook(lambda module, given, made: made.clamp(-20, 20))
    return net


def _root_pre_hook(net: nn.Module) -> nn.Module:
    net.register_forward_pre_hook(lambda module, given: (given[0].clamp(max=100),))
    return net


def _inner_hook(net: nn.Module) -> nn.Module:
    return nn.Sequential(_root_hook(net), nn.Conv2d(1, 1, 1)).eval()


@pytest.mark.parametrize(
    "change",
    [_root_hook, _root_pre_hook, _inner_hook, lambda net: _Calling(*net).eval()],
)
def test_what_a_call_does_beside_its_code_is_kept(change: Callable[[nn.Module], nn.Module]) -> None:
    changed = change(network())
    assert traced(changed) is None
    batch = torch.randn(2, 1, 64, 64) * 1e4
    with torch.no_grad():
        made = prepare(changed, torch.randn(2, 1, 64, 64)).network(batch)
        assert torch.allclose(made, changed(batch), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layer", [0, 1, 2], ids=["convolution", "norm", "activation"])
def test_a_layer_with_a_forward_of_its_own_is_kept(layer: int) -> None:
    changed = network()
    inner = changed[layer]  # type: ignore[index]
    first = copy.deepcopy(changed[0])  # type: ignore[index]
    inner.forward = (lambda x: first(x).clamp(0, 30)) if layer == 0 else (lambda x: x.clamp(0, 30))
    batch = torch.randn(2, 1, 64, 64) * 1e3
    with torch.no_grad():
        made = prepare(changed, torch.randn(2, 1, 64, 64)).network(batch)
        assert torch.allclose(made, changed(batch), rtol=1e-4, atol=1e-3)


class _Constants(nn.Module):
    """Weights and buffers that its own code takes in hand."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 4, 3, padding=1)
        self.gain = nn.Parameter(torch.tensor(1.5))
        self.register_buffer("offset", torch.full((4, 1, 1), 0.3))

    def forward(self, x: Tensor) -> Tensor:
        return (self.layer(x) * (self.gain * 2) + self.offset).relu().mean(1, keepdim=True)


def test_weights_that_its_own_code_uses() -> None:
    plain = _Constants().eval()
    made = prepare(plain, torch.randn(2, 1, 64, 64))
    assert "oneDNN" in made.words or "in place" in made.words or "channels" in made.words
    assert traced(plain) is not None
    batch = torch.randn(2, 1, 80, 64)
    with torch.no_grad():
        assert torch.allclose(made.network(batch), plain(batch), atol=1e-5)


class _Flat(nn.Module):
    """0 / 0 where a tile is flat."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.last((x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True))


def test_nan_that_arises_inside_stays() -> None:
    plain = _Flat().eval()
    made = prepare(plain, torch.randn(2, 1, 64, 64)).network
    assert made is not plain
    batch = torch.randn(2, 1, 64, 64)
    batch[1] = 3.0
    with torch.no_grad():
        expected, answer = plain(batch), made(batch)
    assert expected.isnan().any()
    assert torch.equal(answer.isnan(), expected.isnan())


class _Deciding(nn.Module):
    """Decides by values in a way that following its code passes by."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if type(x) is Tensor and x.max() > 1000:
            x = x / 10
        return self.layer(x)


def test_what_acts_on_large_grey_levels_alone_is_seen() -> None:
    plain = _Deciding().eval()
    assert traced(plain) is not None
    batch = torch.randn(2, 1, 64, 64) * 1e4
    with torch.no_grad():
        made = prepare(plain, torch.randn(2, 1, 64, 64)).network(batch)
        assert torch.allclose(made, plain(batch), rtol=1e-4, atol=1e-3)


class _Full(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_lack_of_memory_is_not_kept_as_a_preparation() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        prepare(_Full(), torch.randn(2, 1, 64, 64))
