"""Running an ONNX model on tiles."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import DTypeLike
from torch import Tensor

from napari_tessera.models.whole_numbers import as_type

_PLACE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |(?<=[ :])/\S+:\d+ .*?\) (?=[A-Z\[])")
"""What stands before the reason in its errors: the error's number, and a line of its sources."""

_KEPT = 2
"""Sessions at once, each with weights of its own: a probe's single thread, and a run's."""

_SILENT = 4
"""Severity of what ONNX Runtime writes to stderr: errors are raised as well, so nothing else."""


class OnnxNetwork:
    """An ONNX model, called with a float32 tensor NC(Z)YX.

    Parameters
    ----------
    content : bytes
        The checked model, with all weights in it.
    input_name : str
        Name of its one input.
    dtype : dtype
        What that input takes. Whole numbers are rounded and clipped to the type's range.
    channels_last : bool
        Whether input and output of the model itself are N(Z)YXC.
    device : torch.device
        The CPU or a CUDA device.

    Raises
    ------
    RuntimeError
        If ONNX Runtime takes neither the model nor the device.

    Notes
    -----
    A session's number of threads is fixed when it is made, while PyTorch's is set at any time, so
    that a session is kept for each of the numbers that were last used.
    """

    def __init__(
        self,
        content: bytes,
        input_name: str,
        dtype: DTypeLike = np.float32,
        channels_last: bool = False,
        device: torch.device | None = None,
    ) -> None:
        self._content = content
        self._input_name = input_name
        self._dtype = np.dtype(dtype)
        self._channels_last = channels_last
        self.device = device or torch.device("cpu")
        self._making = threading.Lock()
        self._made: dict[int, Any] = {}
        self._session()

    def __call__(self, batch: Tensor) -> Tensor:
        """Run it on a batch, float32 NC(Z)YX; the answer lies on the batch's device."""
        session = self._session()
        image = batch.detach().cpu()
        if self._channels_last:
            image = image.movedim(1, -1)
        given = np.ascontiguousarray(as_type(image, getattr(torch, self._dtype.name)).numpy())
        try:
            answer = session.run(None, {self._input_name: given})[0]
        except Exception as error:
            # its errors have no class in common but this one
            raise RuntimeError(_PLACE.sub("", str(error))) from error
        if self._channels_last:
            answer = np.moveaxis(answer, -1, 1)
        return torch.from_numpy(np.ascontiguousarray(answer, np.float32)).to(batch.device)

    def placed_on(self, device: torch.device) -> OnnxNetwork:
        """Return the same model for another device.

        Raises
        ------
        RuntimeError
            If the installed ONNX Runtime does not run there.
        """
        return OnnxNetwork(
            self._content, self._input_name, self._dtype, self._channels_last, device
        )

    def _session(self) -> Any:
        threads = torch.get_num_threads()
        with self._making:
            # the last used comes last
            session = self._made.pop(threads, None) or self._make(threads)
            self._made[threads] = session
            while len(self._made) > _KEPT:
                del self._made[next(iter(self._made))]
            return session

    def _make(self, threads: int) -> Any:
        # of graphs that it refuses it writes to stderr before any option is read
        onnxruntime.set_default_logger_severity(_SILENT)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        # threads that wait for the next tile leave the processor to the readers and writers
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _providers(self.device)
        try:
            session = onnxruntime.InferenceSession(
                self._content, options, providers=providers, enable_fallback=0
            )
        except Exception as error:
            raise RuntimeError(_PLACE.sub("", str(error))) from error
        if self.device.type == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
            raise RuntimeError("ONNX Runtime finds no CUDA of the version that it was built for")
        return session


def _providers(device: torch.device) -> list[Any]:
    if device.type == "cpu":
        return ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        cuda = {"device_id": device.index or 0, "cudnn_conv_algo_search": "HEURISTIC"}
        return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]
    way_out = "install onnxruntime-gpu" if device.type == "cuda" else "it has no such provider"
    raise RuntimeError(f"the installed ONNX Runtime does not run on {device.type}: {way_out}")
