"""Loading torch.export programs (``.pt2``), without running code of strangers.

``torch.export.load`` runs what a file says in many places: it unpickles weights, constants and
example inputs, hands texts to SymPy's ``eval``, looks up any function below ``torch`` by its name,
and puts names and guards into Python code that it then executes. So nothing of a file reaches it as
it is:

1. The archive is opened as a zip (`archive`), and refused where it holds pickles or compiled code.
2. The program is written anew, field by field (`program`, `arguments`, `payloads`): names are
   matched to what a name may be, operations are looked up in a list (`operators`), expressions are
   parsed and printed again (`expressions`), and what computing does not need (example inputs,
   guards, traces, calling conventions) is left behind.
3. ``torch.export.load`` gets an archive packed from these in memory (`loading`).
"""

from __future__ import annotations

from napari_tessera.models.exported.loading import load_exported

__all__ = ["load_exported"]
