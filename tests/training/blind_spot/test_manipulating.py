"""Batches as a blind-spot network sees them: nothing of a hidden pixel is left in them."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.architectures import UNetSettings
from napari_tessera.models.architectures.unet import UNet
from napari_tessera.training.blind_spot import (
    draw_mask,
    manipulate,
    mask_seed,
    masked_loss,
    replace_median,
    replace_uniform,
    struct_mask,
)
from napari_tessera.training.settings import TrainingSettings


def network(dims: int, channels: int, *, n2v2: bool) -> nn.Module:
    torch.manual_seed(0)
    return UNet(
        UNetSettings(
            spatial_dims=dims,
            in_channels=channels,
            out_channels=channels,
            depth=2,
            features=4,
            # all channels reach all others: so hidden values would be found in these as well
            independent=False,
            n2v2=n2v2,
        )
    )


def inputs(dims: int, channels: int) -> Tensor:
    space = (4, 16, 16) if dims == 3 else (24, 24)
    return torch.randn((2, channels, *space), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("training", [True, False], ids=["batch statistics", "as predicting"])
@pytest.mark.parametrize(
    ("method", "dims", "channels", "axis"),
    [
        *product(("n2v", "n2v2"), (2, 3), (1,), (None, "x")),
        ("n2v", 2, 3, None),
        ("n2v2", 2, 3, "y"),
    ],
)
def test_no_output_depends_on_its_own_hidden_pixel(
    method: str, dims: int, channels: int, axis: str | None, training: bool
) -> None:
    settings = TrainingSettings(
        method=method,
        spatial_dims=dims,
        masked_percent=4.0,
        mask_window=5,
        struct_axis=axis,
        struct_span=5,
    )
    net = network(dims, channels, n2v2=method == "n2v2").train(training)
    batch = inputs(dims, channels).requires_grad_()
    seen, mask = manipulate(batch, settings, 7)
    output = net(seen)
    places = mask.nonzero()
    chosen = places[torch.linspace(0, len(places) - 1, 12).long()]
    felt = 0.0
    for place in map(tuple, chosen.tolist()):
        (gradient,) = torch.autograd.grad(output[place], batch, retain_graph=True)
        assert gradient[place] == 0.0
        # what lies beside it along the axis is hidden too
        own = torch.zeros_like(mask)
        own[place] = True
        if axis is not None:
            assert (gradient[struct_mask(own, axis, 5)] == 0.0).all()
        felt = max(felt, float(gradient.abs().max()))
    assert felt > 0, "a network that sees nothing would pass as well"


@pytest.mark.parametrize("method", ["n2v", "n2v2"])
@pytest.mark.parametrize("axis", [None, "x", "y"])
def test_hidden_values_are_nowhere_in_what_is_seen(method: str, axis: str | None) -> None:
    settings = TrainingSettings(method=method, masked_percent=10, mask_window=3, struct_axis=axis)
    batch = inputs(2, 2)
    seen, mask = manipulate(batch, settings, 0)
    hidden = mask if axis is None else struct_mask(mask, axis, settings.struct_span)
    other = torch.where(hidden, batch + 1000, batch)
    assert torch.equal(seen, manipulate(other, settings, 0)[0])
    assert torch.equal(seen[~hidden], batch[~hidden])


def test_seed_and_number_alone_decide() -> None:
    batch, settings = inputs(2, 1), TrainingSettings(seed=5)
    seen, mask = manipulate(batch, settings, 3)
    torch.rand(10)
    again, same = manipulate(batch, settings, 3)
    assert torch.equal(seen, again)
    assert torch.equal(mask, same)
    for other, number in ((settings, 4), (settings, -3), (TrainingSettings(seed=6), 3)):
        assert not torch.equal(mask, manipulate(batch, other, number)[1])


def test_no_two_batches_share_a_seed() -> None:
    seeds = {mask_seed(seed, number) for seed in range(4) for number in range(-50, 50)}
    assert len(seeds) == 400


def test_the_loss_is_the_mean_square_at_hidden_pixels() -> None:
    original, output = inputs(2, 1), inputs(2, 1) * 0.5
    mask = manipulate(original, TrainingSettings(), 0)[1]
    output[~mask] = 1e6
    expected = ((output - original)[mask] ** 2).mean()
    assert torch.allclose(masked_loss(output, original, mask), expected)


@pytest.mark.parametrize("shape", [(3, 2, 24, 20), (2, 1, 6, 16, 16)])
def test_it_is_a_mask_drawn_and_its_pixels_replaced(shape: tuple[int, ...]) -> None:
    batch = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    for method in ("n2v", "n2v2"):
        settings = TrainingSettings(method=method, masked_percent=4, mask_window=5, seed=3)
        given, mask = manipulate(batch, settings, 7)
        generator = torch.Generator().manual_seed(mask_seed(3, 7))
        assert torch.equal(mask, draw_mask(shape, 4, generator))
        if method == "n2v2":
            assert torch.equal(given, replace_median(batch, mask, 5))
        else:
            # the same choice, drawn in another order
            other = replace_uniform(batch, mask, 5, generator)
            assert torch.equal(given[~mask], other[~mask])
            assert ((given != batch) == (other != batch)).all()
