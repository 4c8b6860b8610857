"""Checkpoints and weights: what ``torch.save`` and safetensors write.

`load_checkpoint` gives a network, `read_state_dict` the weights alone. Only tensors, containers,
numbers and text are ever made from a file.
"""

from napari_tessera.models.checkpoints.loading import load_checkpoint
from napari_tessera.models.checkpoints.reading import read_checkpoint, read_state_dict

__all__ = ["load_checkpoint", "read_checkpoint", "read_state_dict"]
