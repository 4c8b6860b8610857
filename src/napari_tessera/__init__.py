"""Denoise large microscopy stacks inside napari, tile by tile, live.

The public names are listed in the stub beside this file and imported on first use,
so that ``import napari_tessera`` loads neither torch nor Qt nor napari.
"""

import lazy_loader

_public_name, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

NOT_INSTALLED = "0+not.installed"
"""The version where only the sources are on the path, so that nothing says which they are."""


def __getattr__(name: str) -> object:
    if name != "__version__":
        return _public_name(name)
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("napari-tessera")
    except PackageNotFoundError:
        found = NOT_INSTALLED
    globals()[name] = found
    return found
