from .array import ArrayStack
from .axis_guess import guess_axes
from .bioio.stack import BioioStack
from .depth import TimeAsDepth
from .hdf5.stack import HDF5Stack
from .layer import LayerStack
from .npy import NpyStack
from .opening.open import open_stack
from .opening.registry import register_stack, unregister_stack
from .origins import read_origins
from .padding import check_patch, inside, pad_patch
from .protocol import ImageStack, StackReadError, read_metadata
from .tiff.files import TiffFilesStack
from .tiff.stack import TiffStack
from .view import SampleView
from .zarr.stack import ZarrStack

__all__ = [
    "ArrayStack",
    "BioioStack",
    "HDF5Stack",
    "ImageStack",
    "LayerStack",
    "NpyStack",
    "SampleView",
    "StackReadError",
    "TiffFilesStack",
    "TiffStack",
    "TimeAsDepth",
    "ZarrStack",
    "check_patch",
    "guess_axes",
    "inside",
    "open_stack",
    "pad_patch",
    "read_metadata",
    "read_origins",
    "register_stack",
    "unregister_stack",
]
