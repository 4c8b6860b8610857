"""Hiding pixels from a network that is to predict them: Noise2Void, N2V2 and structN2V.

Krull, Buchholz and Jug, "Noise2Void", CVPR 2019; Höck, Buchholz, Brachmann, Jug and Freytag,
"N2V2", ECCV workshops 2022; Broaddus, Krull, Weigert, Schmidt and Myers, "Removing structured noise
with self-supervised blind-spot networks", ISBI 2020.

`draw_mask`, `replace_uniform` and `replace_median` say it of masks, one thing each. Training calls
`manipulate`, which goes by places and comes to the same, without looking for them in masks.
"""

from napari_tessera.training.blind_spot.manipulating import manipulate, mask_seed, masked_loss
from napari_tessera.training.blind_spot.places import draw_mask
from napari_tessera.training.blind_spot.replacing import replace_median, replace_uniform
from napari_tessera.training.blind_spot.struct import struct_mask

__all__ = [
    "draw_mask",
    "manipulate",
    "mask_seed",
    "masked_loss",
    "replace_median",
    "replace_uniform",
    "struct_mask",
]
