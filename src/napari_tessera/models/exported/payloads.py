"""Lists of a ``.pt2`` file's weights and constants, written anew."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from napari_tessera.models.errors import shown
from napari_tessera.models.exported.arguments import Json, boolean, field, label, tensor_meta
from napari_tessera.models.exported.refusal import RefusedProgramError

_RECORD = re.compile(r"(weight|tensor)_[0-9]{1,9}")

_PLAIN_WEIGHTS = "Export the network with plain tensors as its weights: no quantized or own classes"


def rewrite_payloads(content: bytes, sizes: Mapping[str, int]) -> tuple[bytes, set[str]]:
    """Write a list of weights or constants anew.

    Parameters
    ----------
    content : bytes
        JSON: for each weight the record that holds it, and its type, size and strides.
    sizes : mapping
        Bytes of each record that the archive has.

    Returns
    -------
    content : bytes
        The list.
    records : set of str
        Names of the records that it needs.

    Raises
    ------
    RefusedProgramError
        If one of them is pickled, is an object of a custom class, or is missing.
    """
    try:
        config = field(json.loads(content), "config")
    except RefusedProgramError:
        raise
    except (ValueError, RecursionError):
        raise RefusedProgramError("its list of weights is damaged") from None
    if not isinstance(config, dict):
        raise RefusedProgramError("its list of weights is damaged")
    written, records = {}, set()
    for key, given in config.items():
        record = field(given, "path_name")
        if given.get("use_pickle") is not False:
            raise RefusedProgramError(
                f"its weight {shown(key)} is pickled, and pickles can run anything",
                _PLAIN_WEIGHTS,
            )
        if not isinstance(record, str) or not _RECORD.fullmatch(record):
            raise RefusedProgramError(f"it holds an object of a custom class ({shown(record)})")
        if record not in sizes:
            raise RefusedProgramError(f"its weight {shown(key)} is missing")
        meta = tensor_meta(field(given, "tensor_meta"))
        _check_size(meta, sizes[record])
        written[label(key)] = {
            "path_name": record,
            "is_param": boolean(field(given, "is_param")),
            "use_pickle": False,
            "tensor_meta": meta,
        }
        records.add(record)
    return json.dumps({"config": written}).encode(), records


def _check_size(meta: dict[str, Json], available: int) -> None:
    """Refuse a tensor of which nothing is stored: PyTorch would make it of zeros, of any size."""
    sizes = [size.get("as_int") for size in meta["sizes"]]
    if any(size is None or size < 0 for size in sizes):
        raise RefusedProgramError("one of its weights has no fixed size")
    if not available and math.prod(size or 0 for size in sizes):
        raise RefusedProgramError("one of its weights is empty")
