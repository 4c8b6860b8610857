"""What a U-Net is made of: from settings, and from weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_tessera.models.architectures import ArchitectureError, UNetSettings

from .weights import unet_state, untrained_norms


@given(
    dims=st.sampled_from([2, 3]),
    channels=st.integers(1, 4),
    depth=st.integers(1, 3),
    features=st.sampled_from([2, 8]),
    independent=st.booleans(),
    n2v2=st.booleans(),
    trained=st.booleans(),
)
def test_weights_show_what_they_are_of(
    dims: int,
    channels: int,
    depth: int,
    features: int,
    independent: bool,
    n2v2: bool,
    trained: bool,
) -> None:
    state = unet_state(
        dims, channels, depth=depth, features=features, independent=independent, n2v2=n2v2
    )
    found = UNetSettings.from_weights(state if trained else untrained_norms(state))
    assert found == UNetSettings(
        dims,
        channels,
        channels,
        depth,
        features,
        independent=independent or channels == 1,
        batch_norm=trained,
        n2v2=n2v2,
    )


def test_other_weights_are_none() -> None:
    assert UNetSettings.from_weights({}) is None
    assert UNetSettings.from_weights({"0.weight": torch.zeros(1, 1, 3, 3)}) is None


@pytest.mark.parametrize("shape", [(4, 1, 3), (0, 1, 3, 3), (5, 2, 3, 3)])
def test_weights_of_odd_shapes(shape: tuple[int, ...]) -> None:
    state = unet_state()
    for number in (1, 2):
        state[f"encoder.encoder_blocks.0.conv{number}.weight"] = torch.zeros(shape)
    with pytest.raises(ArchitectureError):
        UNetSettings.from_weights(state)


def test_settings_by_the_names_of_careamics() -> None:
    found = UNetSettings.from_keywords(
        {
            "architecture": "UNet",
            "conv_dims": 3,
            "in_channels": 2,
            "num_classes": 1,
            "depth": 4,
            "num_channels_init": 16,
            "independent_channels": False,
            "use_batch_norm": False,
            "n2v2": True,
            "residual": True,
            "final_activation": "LeakyReLU",
        }
    )
    assert found == UNetSettings(3, 2, 1, 4, 16, False, False, True, True, "leakyrelu")
    assert UNetSettings.from_keywords({"conv_dims": 2}) == UNetSettings(2)
    assert (
        UNetSettings.from_keywords({"conv_dims": 2, "final_activation": None}).activation == "none"
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("depth", 10**9, "its depth 1000000000 is outside 1…12"),
        ("depth", 0, "its depth 0 is outside"),
        ("depth", "2", "its depth '2' is no integer"),
        ("depth", True, "its depth True is no integer"),
        ("depth", 2.0, "its depth 2.0 is no integer"),
        ("depth", 1 << 16609, "its depth an integer of 16610 bits is outside"),
        ("num_channels_init", 10**9, "its features 1000000000 is outside"),
        ("in_channels", -1, "its in_channels -1 is outside"),
        ("num_classes", 10**6, "its out_channels 1000000 is outside"),
        ("conv_dims", 4, "4 dimensions is neither 2D nor 3D"),
        ("conv_dims", None, "its conv_dims None is no integer"),
        ("residual", "yes", "its residual 'yes' is neither true nor false"),
        ("n2v2", 1, "its n2v2 1 is neither"),
        ("final_activation", "GELU", "its final activation 'GELU' is none of"),
        ("final_activation", 3, "its final_activation 3 is no text"),
        ("use_batch_norm", [[]], "its use_batch_norm a list is neither"),
        ("pool_kernel", 3, "it pools 3 pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_absurd_settings(name: str, value: object, says: str) -> None:
    with pytest.raises(ArchitectureError, match=says) as raised:
        UNetSettings.from_keywords({"conv_dims": 2, name: value})
    assert "\n" not in str(raised.value)


def test_settings_that_contradict_one_another() -> None:
    with pytest.raises(ArchitectureError, match="conv_dims is missing"):
        UNetSettings.from_keywords({})
    with pytest.raises(ArchitectureError, match="3 outputs cannot be shared out"):
        UNetSettings(2, in_channels=2, out_channels=3)
    with pytest.raises(ArchitectureError, match="adds 3 input channels to 2 outputs"):
        UNetSettings(2, in_channels=3, out_channels=2, independent=False, residual=True)
    assert UNetSettings(2, in_channels=1, out_channels=2, independent=False, residual=True)


def test_counts_of_batches_that_have_no_order() -> None:
    state = unet_state(2, 1, depth=1, features=2)
    counts = [key for key in state if key.endswith("num_batches_tracked")]
    odd = {key: torch.tensor(1j) for key in counts}
    assert counts
    assert UNetSettings.from_weights({**state, **odd}) == UNetSettings.from_weights(state)
