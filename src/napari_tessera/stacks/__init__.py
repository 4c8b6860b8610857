"""Where pixels come from: the `ImageStack` protocol and its implementations."""

from napari_tessera.stacks.array import ArrayStack
from napari_tessera.stacks.axis_guess import guess_axes
from napari_tessera.stacks.layer import LayerStack
from napari_tessera.stacks.open import open_stack
from napari_tessera.stacks.origins import read_origins
from napari_tessera.stacks.padding import pad_patch
from napari_tessera.stacks.protocol import ImageStack, StackReadError
from napari_tessera.stacks.registry import register_stack, unregister_stack
from napari_tessera.stacks.tiff import TiffStack
from napari_tessera.stacks.tiff_files import TiffFilesStack
from napari_tessera.stacks.view import SampleView, read_metadata
from napari_tessera.stacks.zarr import ZarrStack

__all__ = [
    "ArrayStack",
    "ImageStack",
    "LayerStack",
    "SampleView",
    "StackReadError",
    "TiffFilesStack",
    "TiffStack",
    "ZarrStack",
    "guess_axes",
    "open_stack",
    "pad_patch",
    "read_metadata",
    "read_origins",
    "register_stack",
    "unregister_stack",
]
