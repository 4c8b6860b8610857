"""Loading BioImage.IO packages (https://bioimage.io), formats 0.4 and 0.5.

A package is a description in YAML, weights in one or more formats, and test tensors. What the
description says is read once, checked, and turned into the terms of this package; nothing in it is
run, imported or fetched:

1. `package_files` gives the files: by safe names only, and never what a link leads to outside.
2. `yaml_reader` reads the description as plain values, `description` makes sense of them.
3. `weights` loads the first weights that can be, by the checks of each kind.
4. `loading` puts both together.
"""

from __future__ import annotations

from napari_tessera.models.bioimageio.loading import load_package

__all__ = ["load_package"]
