"""Loading ONNX models.

An ONNX file is a graph of named operations with weights; ONNX Runtime runs it. Three things in it
reach beyond arithmetic on tensors, and all are settled before ONNX Runtime sees any of it:

1. Operations outside the standard, which need compiled code from elsewhere, are refused
   (`operations`).
2. Weights in other files are read here, from the model's own folder only, and put into the model
   (`weights`).
3. ONNX Runtime gets the bytes of the model that was checked, not the path, so that it opens no
   file at all (`session`).
"""

from __future__ import annotations

from napari_tessera.models.onnx.loading import load_onnx

__all__ = ["load_onnx"]
