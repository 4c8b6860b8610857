"""Opening a TIFF file, or the files of one data set, and finding the images in it."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

from napari_tessera.stacks.checks import error_line, not_there
from napari_tessera.stacks.protocol import StackReadError
from napari_tessera.stacks.tiff.chain import count_pages, cut_off
from napari_tessera.stacks.tiff.ome import OmeDescription, OmeImage, read_ome

_MOST_EMPTY_PLANES = 10**6
_LISTED = 12
_LONGEST_XML = 2**28
"""Bytes of a file with OME-XML; those of a million planes take less."""


@dataclass(frozen=True)
class TiffImage:
    """One image of a file."""

    series: TiffPageSeries | None
    """Its pages; None where OME-XML tells of it, but all of its files are missing."""
    ome: OmeImage | None
    """What OME-XML tells of it."""

    @property
    def summary(self) -> str:
        """Its name, shape and axes."""
        if self.series is None:
            return f"{self.ome.name if self.ome else ''} (its files are missing)".strip()
        shape = "×".join(map(str, self.series.shape))
        return f"{self.series.name} {self.series.axes} {shape} {self.series.dtype}".strip()


class TiffImages:
    """An open TIFF file and the images in it; close it when their pages are no longer needed.

    Parameters
    ----------
    path : pathlib.Path
        The file. A member of a multi-file OME-TIFF stands for the whole, also where the
        description is in another file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    StackReadError
        If the file is no TIFF, or damaged beyond finding its images.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        """The file."""
        n_pages = 0
        if path.exists() and not path.is_dir():
            _check_regular(path)
            n_pages = count_pages(path)
        self.file, self.description = _open(path)
        """The open file, and what OME-XML says."""
        self._folder = Path(self.file.filehandle.dirname)
        try:
            if self.description is not None:
                self._check_members(self.description, n_pages)
            self.images = self._find()
            """All images, in the file's order."""
        except BaseException:
            self.file.close()
            raise

    def __getitem__(self, number: int) -> TiffImage:
        """An image by its number, counted from 0.

        Raises
        ------
        ValueError
            If the file has no such image; the message lists those it has.
        """
        if 0 <= number < len(self.images):
            return self.images[number]
        listed = "; ".join(
            f"{at}: {image.summary}" for at, image in enumerate(self.images[:_LISTED])
        )
        more = len(self.images) - _LISTED
        raise ValueError(
            f"{self.path}: image {number} is outside 0…{len(self.images) - 1}; it holds {listed}"
            + (f" and {more} more" if more > 0 else "")
        )

    def absent(
        self, image: TiffImage, level: int, number: int, page: TiffPage | TiffFrame | None
    ) -> str | None:
        """Why a plane has no pixels; None where the format means that they are empty.

        OME-XML may leave planes out: these are empty. What it says to be somewhere must be there.
        """
        series = image.series
        if page is not None:
            if series is None or series.kind != "mmstack":
                return None
            return f"plane {number} is cut off: the file ends before it"
        if image.ome is None:
            return None
        where = image.ome.where(number)
        if where is None:
            return None
        at, name = where
        member = self._folder / (name or self.file.filename)
        if not member.exists():
            return f"{member} does not exist, whose page {at} it is: put it there"
        if level > 0:
            return f"page {at} of {member.name} has no level {level}"
        return f"{member} has no page {at}, which it is"

    def missing(self, image: OmeImage | None) -> tuple[str, ...]:
        """Names of files that an image should be in and that are not there."""
        if image is None:
            return ()
        names = dict.fromkeys(block.file for block in image.planes if block.file is not None)
        return tuple(name for name in names if not (self._folder / name).exists())

    def _check_members(self, description: OmeDescription, n_pages: int) -> None:
        """Look at the files before tifffile does, which leaves out what it cannot read."""
        for name in description.files:
            member = self._folder / name
            if member.exists():
                _check_regular(member, self.path)
                found = count_pages(member)
                if not found:
                    raise StackReadError(f"{member}, a part of {self.path}, is no TIFF file")
                n_pages += found
        planes = sum(image.n_planes for image in description.images)
        if planes > n_pages + _MOST_EMPTY_PLANES:
            raise StackReadError(
                f"{self.path} is damaged: OME-XML tells of {planes} planes, there are {n_pages} "
                "pages"
            )

    def _find(self) -> tuple[TiffImage, ...]:
        try:
            wrong = _endless_index(self.file)
            found = [] if wrong else self.file.series
            lost = _lost_planes(self.file, found)
        except Exception as error:
            names = [n for image in self._described() for n in self.missing(image)]
            reason = f"{names[0]} does not exist; put it there" if names else error_line(error)
            raise StackReadError(f"{self.path}: no image can be found: {reason}") from error
        if wrong:
            raise StackReadError(f"{self.path} is damaged: {wrong}")
        if lost:
            raise cut_off(self.path, lost, self.file.filehandle.size)
        images = list(_matched(self._described(), found, self.file))
        known = [id(image.series) for image in images]
        images = [image for image in images if image.series is not None or self.missing(image.ome)]
        images += [TiffImage(series, None) for series in found if id(series) not in known]
        if not images:
            raise StackReadError(f"{self.path} holds no image")
        return tuple(images)

    def _described(self) -> tuple[OmeImage, ...]:
        return () if self.description is None else self.description.images


def _open(path: Path) -> tuple[TiffFile, OmeDescription | None]:
    """Open a file and read its OME-XML, or that of the file it refers to."""
    file = _open_tiff(path)
    try:
        xml = file.ome_metadata if file.pages else None
        description = None if xml is None else read_ome(xml, path.name)
        if description is None or xml is None:
            return file, None
        if description.master is not None:
            file.close()
            return _open_master(path, path.parent / description.master)
        other = description.only_file
        if other and not description.uuid and not (path.parent / other).exists():
            # all planes are in one file: this one, under a name that it had before
            file.close()
            xml = xml.replace(f'FileName="{other}"', f'FileName="{path.name}"')
            return _open_tiff(path, xml), read_ome(xml, path.name)
        return file, description
    except BaseException:
        file.close()
        raise


def _open_master(path: Path, master: Path) -> tuple[TiffFile, OmeDescription | None]:
    if not master.exists():
        raise StackReadError(
            f"{path} is part of an image that {master.name} describes, and {master} does not "
            "exist; put it there, or pass the array that tifffile.imread makes of this part"
        )
    _check_regular(master, path)
    with master.open("rb") as start:
        is_tiff = start.read(2) in (b"II", b"MM")
    if is_tiff:
        count_pages(master)
        file = _open_tiff(master)
        try:
            xml = file.ome_metadata
            return file, None if xml is None else read_ome(xml, master.name)
        except BaseException:
            file.close()
            raise
    if master.stat().st_size > _LONGEST_XML:
        raise StackReadError(
            f"{path} is part of an image that {master} should describe, which is no OME-XML: it "
            f"has {master.stat().st_size} bytes"
        )
    xml = master.read_text("utf-8", errors="replace")
    description = read_ome(xml, path.name)
    return _open_tiff(path, xml), description


def _check_regular(path: Path, whole: Path | None = None) -> None:
    """Refuse what may have no end, or wait for ever: a pipe, a device, a file of the kernel.

    The latter say that they are regular files of no bytes.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        reason = "is no regular file"
    elif not found.st_size:
        reason = "is empty"
    else:
        return
    part = "" if whole is None else f", to which {whole} refers,"
    raise StackReadError(f"{path}{part} {reason}; put a TIFF or OME-XML file there")


def _open_tiff(path: Path, omexml: str | None = None) -> TiffFile:
    try:
        return TiffFile(path, omexml=omexml)
    except FileNotFoundError:
        raise not_there(path) from None
    except (PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        raise StackReadError(f"{path} cannot be opened as TIFF: {error_line(error)}") from error


def _matched(
    described: Iterable[OmeImage], found: Iterable[TiffPageSeries], file: TiffFile
) -> Iterable[TiffImage]:
    """Each image of OME-XML with its series, found by where its first page is."""
    left = [series for series in found if series.kind == "ome"]
    for image in described:
        series = next((s for s in left if _is_of(s, image, file)), None)
        if series is not None:
            left.remove(series)
        yield TiffImage(series, image)


def _is_of(series: TiffPageSeries, image: OmeImage, file: TiffFile) -> bool:
    at, page = next((at, page) for at, page in enumerate(series) if page is not None)
    # of a multi-file image tifffile may have opened the first file twice
    where = image.where(at)
    if where is None or where[0] != page.index:
        return False
    return str(page.parent.filename).lower() == Path(where[1] or file.filename).name.lower()


def _endless_index(file: TiffFile) -> str | None:
    """What is wrong with Micro-Manager's index, for whose planes tifffile makes a list."""
    metadata = file.micromanager_metadata if file.is_mmstack else None
    if metadata is None:
        return None
    index = metadata["IndexMap"]
    planes = prod(int(last) + 1 for last in index[:, :4].max(axis=0))
    if planes <= len(index) + _MOST_EMPTY_PLANES:
        return None
    return f"Micro-Manager's index tells of {planes} planes and lists {len(index)}"


def _lost_planes(file: TiffFile, series: list[TiffPageSeries]) -> str | None:
    """Where ImageJ's planes should end, if that is beyond the end of the file.

    ImageJ may list one page only, all planes behind it; tifffile then falls back to that page.
    """
    description = file.imagej_metadata
    if not description or any(s.kind == "imagej" for s in series):
        return None
    page = file.pages.first
    if not page.is_final:
        return None
    counts = (description.get(key, 1) for key in ("frames", "slices", "channels"))
    planes = prod(max(int(count), 1) for count in counts)
    end = page.dataoffsets[0] + planes * page.nbytes
    if end <= file.filehandle.size:
        return None
    return f"ImageJ's {planes} planes should end at byte {end}"
