"""What a CAREamics U-Net is made of: as settings say it, and as weights show it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_tessera.models.architectures.activations import checked_activation
from napari_tessera.models.architectures.errors import ArchitectureError, shown
from napari_tessera.models.architectures.keywords import Keywords

if TYPE_CHECKING:
    from torch import Tensor

MOST_LEVELS = 12
MOST_CHANNELS = 4096
MOST_FEATURES = 4096

_FIRST = "encoder.encoder_blocks.0.conv1.weight"
_SECOND = "encoder.encoder_blocks.0.conv2.weight"
_LAST = "final_conv.weight"


@dataclass(frozen=True)
class UNetSettings:
    """What a CAREamics U-Net is made of.

    Parameters
    ----------
    spatial_dims : {2, 3}
        Spatial axes.
    in_channels, out_channels : int
        Channels.
    depth : int
        How often the size is halved.
    features : int
        Channels of the first level, for each group.
    independent : bool
        Whether each channel has a network of its own: convolutions have as many groups as there
        are input channels.
    batch_norm : bool
        Whether batch norms are used. CAREamics saves them even where they are not.
    n2v2 : bool
        Whether pooling blurs and the uppermost level has no skip connection.
    residual : bool
        Whether the input is added to the answer.
    activation : str
        What the answer goes through last.
    """

    spatial_dims: int
    in_channels: int = 1
    out_channels: int = 1
    depth: int = 3
    features: int = 64
    independent: bool = True
    batch_norm: bool = True
    n2v2: bool = False
    residual: bool = False
    activation: str = "none"

    def __post_init__(self) -> None:
        limits = {
            "in_channels": MOST_CHANNELS,
            "out_channels": MOST_CHANNELS,
            "depth": MOST_LEVELS,
            "features": MOST_FEATURES,
        }
        if self.spatial_dims not in (2, 3):
            raise ArchitectureError(
                f"a network of {shown(self.spatial_dims)} dimensions is neither 2D nor 3D"
            )
        for name, most in limits.items():
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ArchitectureError(f"its {name} {shown(value)} is outside 1…{most}")
        if self.out_channels % self.groups:
            raise ArchitectureError(
                f"its {self.in_channels} channels are independent, and {self.out_channels} outputs "
                "cannot be shared out among them"
            )
        # adding repeats a single channel, as it does in CAREamics
        if (
            self.residual
            and 1 not in (self.in_channels, self.out_channels)
            and (self.in_channels != self.out_channels)
        ):
            raise ArchitectureError(
                f"it adds {self.in_channels} input channels to {self.out_channels} outputs"
            )

    @property
    def groups(self) -> int:
        """Groups of every convolution."""
        return self.in_channels if self.independent else 1

    def width(self, level: int) -> int:
        """Channels at a level, the uppermost being 0."""
        return self.features * self.groups << level

    def skips(self, level: int) -> bool:
        """Whether a level has a skip connection."""
        return not self.n2v2 or level > 0

    @classmethod
    def from_keywords(cls, given: Mapping[str, object]) -> UNetSettings:
        """Read what CAREamics calls its settings, with its own defaults.

        Parameters
        ----------
        given : mapping
            ``conv_dims``, ``num_classes``, ``in_channels``, ``depth``, ``num_channels_init``,
            ``use_batch_norm``, ``residual``, ``final_activation``, ``n2v2``,
            ``independent_channels``; others are not needed for prediction and are passed over.

        Raises
        ------
        ArchitectureError
            If a value is of another type or out of range.
        """
        read = Keywords(given)
        pooled = read.integer("pool_kernel", 2)
        if pooled != 2:
            raise ArchitectureError(f"it pools {shown(pooled)} pixels, not 2")
        return cls(
            spatial_dims=read.integer("conv_dims", None),
            in_channels=read.integer("in_channels", 1),
            out_channels=read.integer("num_classes", 1),
            depth=read.integer("depth", 3),
            features=read.integer("num_channels_init", 64),
            independent=read.boolean("independent_channels", True),
            batch_norm=read.boolean("use_batch_norm", True),
            n2v2=read.boolean("n2v2", False),
            residual=read.boolean("residual", False),
            activation=checked_activation(read.text("final_activation", "none")),
        )

    @classmethod
    def from_weights(cls, state: Mapping[str, Tensor]) -> UNetSettings | None:
        """Find out from weights.

        What weights do not show is left at its default: ``residual`` and ``activation``. Where
        channels are one, ``independent`` makes no difference. That batch norms are not used is
        seen by their not having been trained.

        Parameters
        ----------
        state : mapping of str to Tensor
            By the names that the network itself gives them.

        Returns
        -------
        UNetSettings or None
            None where the weights are not those of such a network.

        Raises
        ------
        ArchitectureError
            If they are, but of sizes that no such network has.
        """
        if not {_FIRST, _SECOND, _LAST} <= state.keys():
            return None
        first, second, last = (tuple(state[key].shape) for key in (_FIRST, _SECOND, _LAST))
        if len(first) not in (4, 5) or not len(first) == len(second) == len(last):
            raise ArchitectureError("its weights are those of no 2D or 3D network")
        if min(*first, *second, *last) < 1 or second[0] % second[1]:
            raise ArchitectureError(f"its first weights have shapes {first} and {second}")
        groups, features = second[0] // second[1], second[1]
        depth = sum(
            re.fullmatch(r"encoder\.encoder_blocks\.\d+\.conv1\.weight", k) is not None
            for k in state
        )
        top = state.get(f"decoder.decoder_blocks.{2 * depth - 1}.conv1.weight")
        in_channels = first[1] * groups
        return cls(
            spatial_dims=len(first) - 2,
            in_channels=in_channels,
            out_channels=last[0],
            depth=depth,
            features=features,
            independent=groups == in_channels,
            batch_norm=_has_used_norms(state),
            n2v2=top is not None and top.ndim > 1 and top.shape[1] == features,
        )


def _has_used_norms(state: Mapping[str, Tensor]) -> bool:
    """Whether any batch norm has been trained; one that was not is as it was made."""
    counts = [value for key, value in state.items() if key.endswith(".num_batches_tracked")]
    if any(count.numel() == 1 and bool(count) for count in counts):
        return True
    made = {"running_mean": 0.0, "running_var": 1.0, "weight": 1.0, "bias": 0.0}
    for key, value in state.items():
        _, _, name = key.rpartition(".")
        if ".batch_norm" in key and name in made and bool((value != made[name]).any()):
            return True
    return False
