"""Looking into pickles."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest

from napari_tessera.models.checkpoints import pickles
from napari_tessera.models.checkpoints.pickles import (
    PickleError,
    check_pickle_of_archive,
    check_pickles_of_file,
)


def test_names_are_cleaned() -> None:
    odd = b"\x80\x02cevil\nname with\ttab\n."
    with pytest.raises(PickleError, match=r"\(evil.name.with tab\)") as raised:
        check_pickles_of_file(io.BytesIO(odd))
    assert "Save its weights" in raised.value.way_out


def test_weights_and_settings_pass() -> None:
    import collections

    plain = pickle.dumps({"a": collections.OrderedDict(b=[1, 2.0, None, True])}, protocol=2)
    check_pickles_of_file(io.BytesIO(plain + b"weights follow"))


def test_parameters_pass_and_modules_do_not() -> None:
    check_pickles_of_file(io.BytesIO(b"\x80\x02ctorch.nn.parameter\nParameter\n."))
    with pytest.raises(PickleError, match=r"torch.nn.modules.conv.Conv2d"):
        check_pickles_of_file(io.BytesIO(b"\x80\x02ctorch.nn.modules.conv\nConv2d\n."))


def test_huge_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_BYTES", 2**20)
    long = pickle.dumps(list(range(400_000)), protocol=2)
    with pytest.raises(PickleError, match="its pickle has more than 1 MiB"):
        check_pickles_of_file(io.BytesIO(long))
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", long)
    with (
        zipfile.ZipFile(path) as archive,
        pytest.raises(PickleError, match="its pickle has 1 MiB, more than 1"),
    ):
        check_pickle_of_archive(archive, {"data.pkl": archive.infolist()[0]})
