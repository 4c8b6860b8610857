"""Plates of results: the groups and attributes that make OME-Zarr images the fields of a plate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import zarr
from yaozarrs import v04, v05

from napari_tessera.stacks.zarr.ngff import ome_attributes
from napari_tessera.stacks.zarr.nodes import attributes_of, quiet_zarr
from napari_tessera.writing.ome.metadata import OmeVersion, zarr_format

Attributes = dict[str, Any]


class ResultPlate:
    """A plate that grows with the fields that are done. Any reader finds a valid one meanwhile.

    Parameters
    ----------
    path : pathlib.Path
        Where the plate is made, or is.
    source : pathlib.Path
        The plate that its images are of: names of rows, columns and acquisitions are its.
    version : {"0.5", "0.4"}
        Version of OME-Zarr.

    Raises
    ------
    FileExistsError
        If something else than a plate is at the path.
    """

    def __init__(self, path: Path, source: Path, version: OmeVersion = "0.5") -> None:
        self._path = path
        self._source = source
        self._version = version
        self._models: Any = v05 if version == "0.5" else v04
        self.check()

    def check(self) -> None:
        """Raise unless the path is free, or is a plate of the same version."""
        if not self._path.exists():
            return
        try:
            group = _group(self._path)
            # one that was made just before a kill says nothing yet
            ours = not attributes_of(group) or bool(_described(self._path, "plate"))
            ours = ours and group.metadata.zarr_format == zarr_format(self._version)
        except (OSError, ValueError, KeyError):
            ours = False
        if not ours:
            raise FileExistsError(
                f"{self._path} exists and is no plate of OME-Zarr {self._version}: choose another "
                "output folder"
            )

    def prepare(self, inside: str) -> Path:
        """Make the groups that lead to a field; give the place of its image."""
        well = self._path / PurePosixPath(inside).parent
        with quiet_zarr():
            for folder in (self._path, *_between(self._path, well), well):
                zarr.open_group(folder, mode="a", zarr_format=zarr_format(self._version))
        return self._path / inside

    def add(self, inside: str) -> None:
        """Name a field, whose image is there, in the attributes of its well and of the plate."""
        place = PurePosixPath(inside)
        well = str(place.parent)
        images = {str(image["path"]): image for image in _images(self._path / well)}
        known = {str(image["path"]): image for image in _images(self._source / well)}
        images[place.name] = known.get(place.name, {"path": place.name})
        ordered = [images[name] for name in (*known, *images) if name in images]
        listed = list({image["path"]: image for image in ordered}.values())
        described = {"images": [_picked(image, "path", "acquisition") for image in listed]}
        self._put(self._path / well, "well", described, self._models.Well)
        self._put(self._path, "plate", self._plate_with(well, len(listed)), self._models.Plate)

    def _plate_with(self, well: str, n_fields: int) -> Attributes:
        """The plate's attributes with a well that has so many fields."""
        source = _described(self._source, "plate")
        before = _described(self._path, "plate")
        paths = [str(known["path"]) for known in source.get("wells", ())]
        paths = paths if well in paths else [*paths, well]
        rows = [str(row["name"]) for row in source.get("rows", ())]
        columns = [str(column["name"]) for column in source.get("columns", ())]
        done = {str(known["path"]) for known in before.get("wells", ())} | {well}
        for path in paths:
            row, _, column = path.partition("/")
            rows += [row] if row not in rows else []
            columns += [column] if column not in columns else []
        most = max(n_fields, int(before.get("field_count") or 0))
        found: Attributes = {
            "name": str(source.get("name") or self._source.name.partition(".")[0]),
            "rows": [{"name": name} for name in rows],
            "columns": [{"name": name} for name in columns],
            "wells": [
                {
                    "path": path,
                    "rowIndex": rows.index(path.partition("/")[0]),
                    "columnIndex": columns.index(path.partition("/")[2]),
                }
                for path in paths
                if path in done
            ],
            "field_count": most,
        }
        if source.get("acquisitions"):
            names = ("id", "name", "maximumfieldcount", "description", "starttime", "endtime")
            found["acquisitions"] = [_picked(one, *names) for one in source["acquisitions"]]
        return found

    def _put(self, folder: Path, name: str, described: Attributes, model: Any) -> None:
        """Write attributes that are valid."""
        inner = {name: described}
        if self._version == "0.5":
            inner["version"] = "0.5"  # type: ignore[assignment]  # where 0.5 has it
            model.model_validate(inner)
            attributes: Attributes = {"ome": inner}
        else:
            described["version"] = "0.4"
            model.model_validate(inner)
            attributes = inner
        with quiet_zarr():
            _group(folder, mode="r+").attrs.update(attributes)


def _between(root: Path, folder: Path) -> list[Path]:
    return [parent for parent in reversed(folder.parents) if root in parent.parents]


def _group(folder: Path, mode: Any = "r") -> zarr.Group:
    with quiet_zarr():
        return zarr.open_group(folder, mode=mode, use_consolidated=False)


def _described(folder: Path, name: str) -> Mapping[str, Any]:
    """What a group's attributes say under a name of OME's; nothing where there is no group."""
    try:
        described = ome_attributes(attributes_of(_group(folder))).get(name)
    except (OSError, ValueError, KeyError):
        return {}
    return described if isinstance(described, Mapping) else {}


def _images(well: Path) -> list[Attributes]:
    return [dict(image) for image in _described(well, "well").get("images", ())]


def _picked(entry: Mapping[str, Any], *names: str) -> Attributes:
    """The keys that the standard knows, where they are there."""
    return {name: entry[name] for name in names if entry.get(name) is not None}
