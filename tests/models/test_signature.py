from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from napari_tessera.models.errors import ModelError
from napari_tessera.models.signature import find_signature


class _LastRegisteredFirst(nn.Module):
    """Its layers are not registered in the order in which they run."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(8, 1, 3, padding=1)
        self.first = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (nn.Conv2d(1, 1, 3, padding=1), (2, 1)),
        (nn.Conv2d(7, 1, 3, padding=1), (2, 7)),
        (nn.Conv3d(2, 1, 3, padding=1), (3, 2)),
        (nn.Conv2d(6, 6, 3, padding=1, groups=3), (2, 6)),
        (_LastRegisteredFirst(), (2, 3)),
        (nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, 4, 1), nn.PixelShuffle(2)), (2, 1)),
        (nn.ReLU(), (2, None)),
        (lambda x: x, (2, None)),
        (nn.Conv3d(1, 1, 3, padding=1).forward, (3, 1)),
        (nn.Conv3d(4, 4, 3, padding=1).forward, (3, 4)),
        (nn.Conv2d(4, 4, 1).forward, (2, 4)),
    ],
)
def test_found_by_looking_and_trying(
    network: Callable[[Tensor], Tensor], expected: tuple[int, int | None]
) -> None:
    assert find_signature(network, "net", None, None) == expected


@pytest.mark.parametrize("how", ["script", "trace", "script+freeze", "trace+freeze"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_programs(
    export: Callable[..., torch.jit.ScriptModule],
    make_unet: Callable[..., nn.Module],
    how: str,
    spatial_dims: int,
) -> None:
    network = make_unet(spatial_dims=spatial_dims, channels=3)
    program = export(network, how, shape=(1, 3, *(16,) * spatial_dims))
    assert find_signature(program, "net", None, None) == (spatial_dims, 3)


def test_what_is_known_is_kept() -> None:
    assert find_signature(lambda x: x, "net", 3, 5) == (3, 5)
    assert find_signature(lambda x: x, "net", None, 5) == (2, 5)


def test_what_is_said_wrongly_is_refused() -> None:
    with pytest.raises(ModelError, match=r"to have 1 channels, but got 2 .*in_channels"):
        find_signature(nn.Conv2d(1, 1, 1), "net", 2, 2)
    with pytest.raises(ModelError, match="spatial_dims=2 or 3"):
        find_signature(nn.Conv2d(1, 1, 1), "net", 3, None)


def test_a_function_that_always_fails_says_why() -> None:
    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("no licence\nand a long story")

    with pytest.raises(ModelError, match=r"^net cannot be used: it fails .*\(no licence\)"):
        find_signature(broken, "net", None, None)
