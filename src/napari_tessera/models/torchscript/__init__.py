"""Loading TorchScript files, without running code of strangers.

A TorchScript file is a program. Three checks keep it to arithmetic on tensors:

1. The archive's code is read as text before anything is loaded (`source`), and its pickles'
   lists of names too.
2. Only what was read goes on: the checked members are packed into a fresh archive in memory, and
   that is what ``torch.jit.load`` gets. So it cannot see another file than the one that was
   checked (archives can hide members from one reader and show them to another).
3. Every operation of the compiled program is on the list of `operations`, and arguments that
   kernels trust without a check are known before and fit (`program`, `values`).
"""

from __future__ import annotations

from napari_tessera.models.torchscript.loading import load_torchscript

__all__ = ["load_torchscript"]
