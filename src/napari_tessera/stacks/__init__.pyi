from .array import ArrayStack
from .axis_guess import guess_axes
from .bioio import BioioStack
from .depth import TimeAsDepth
from .hdf5 import HDF5Stack
from .layer import LayerStack
from .npy import NpyStack
from .open import open_stack
from .origins import read_origins
from .padding import check_patch, inside, pad_patch
from .protocol import ImageStack, StackReadError, read_metadata
from .registry import register_stack, unregister_stack
from .tiff import TiffStack
from .tiff_files import TiffFilesStack
from .view import SampleView
from .zarr import ZarrStack

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
