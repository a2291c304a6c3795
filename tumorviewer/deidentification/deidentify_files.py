"""Files and folders without their patients: what is written, and what is left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import pixel_array

from tumorviewer.deidentification.burned_in import find_burned_in_text
from tumorviewer.deidentification.profile import Options
from tumorviewer.deidentification.substitutes import Substitutes
from tumorviewer.deidentification.transform import ElementChange, deidentify_dataset, list_changes
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr
from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_integer, read_text, silence_pydicom

_FRAMES_LOOKED_AT = 3
_NEVER = {
    "1.2.840.10008.5.1.4.1.1.66": "Raw Data",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF",
    "1.2.840.10008.5.1.4.1.1.104.2": "Encapsulated CDA",
}
"""Storage classes whose content nobody can look through."""


@dataclass(frozen=True)
class Deidentified:
    """What becomes of one file."""

    source: Path
    dataset: Dataset
    """As it is written."""
    changes: tuple[ElementChange, ...]
    warnings: tuple[str, ...]

    @property
    def name(self) -> Path:
        """Where it lies below the folder that is written: patient, series, instance."""
        dataset = self.dataset
        return Path(
            read_text(dataset, "PatientID"),
            read_text(dataset, "SeriesInstanceUID") or "series",
            f"{read_text(dataset, 'SOPInstanceUID')}.dcm",
        )


def deidentify_file(path: Path, substitutes: Substitutes, options: Options) -> Deidentified:
    """Work out what becomes of a DICOM file; nothing is written.

    Raises
    ------
    InputError
        If it is not DICOM, or is of a kind that cannot be vouched for.
    """
    silence_pydicom()
    try:
        dataset = pydicom.dcmread(path)
        _check_kind(path, dataset)
        changed = deidentify_dataset(dataset, substitutes, options)
        changes = tuple(list_changes(dataset, changed))
    except InvalidDicomError as error:
        reason = tr("It is not DICOM; nothing is known of what it says of a patient.")
        raise InputError(str(path), reason) from error
    except PARSER_ERRORS as error:
        raise InputError(str(path), tr("It is damaged, or it is not a DICOM image.")) from error
    return Deidentified(path, changed, changes, tuple(_warnings(dataset)))


def write_deidentified(result: Deidentified, folder: Path) -> Path:
    """Write the file below a folder, under a name without identities.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    path = folder / result.name
    try:
        with replace_atomically(path) as beside:
            pydicom.dcmwrite(beside, result.dataset, enforce_file_format=True)
    except OSError as error:
        reason = tr("It cannot be written: {error}.", error=error.strerror or error)
        raise InputError(str(path), reason) from error
    except PARSER_ERRORS as error:
        raise InputError(str(result.source), tr("It is damaged: it cannot be written.")) from error
    return path


def list_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files given, and those in the folders given, in a stable order.

    Raises
    ------
    InputError
        If a path is not there.
    """
    for path in paths:
        if path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file())
        elif path.exists():
            yield path
        else:
            raise InputError(str(path), tr("It is not there."))


def deidentify_paths(
    paths: Iterable[Path],
    folder: Path | None,
    substitutes: Substitutes,
    options: Options,
    refused: Callable[[InputError], None],
) -> Iterator[Deidentified]:
    """De-identify files one by one.

    Parameters
    ----------
    folder
        Where to write; None to only tell what would be written.
    refused
        Told what is left out.
    """
    sources: dict[Path, Path] = {}
    for path in list_files(paths):
        try:
            result = deidentify_file(path, substitutes, options)
            _check_only(path, sources.setdefault(result.name, path))
            if folder is not None:
                write_deidentified(result, folder)
        except InputError as error:
            refused(error)
            continue
        yield result


def _check_only(path: Path, first: Path) -> None:
    if first != path:
        raise InputError(str(path), tr("It has the SOP Instance UID of {other}.", other=first))


def _check_kind(path: Path, dataset: Dataset) -> None:
    kind = _NEVER.get(read_text(dataset, "SOPClassUID"))
    if kind:
        reason = tr("{kind}: what it says of the patient cannot be looked through.", kind=kind)
        raise InputError(str(path), reason)
    if not read_text(dataset, "SOPInstanceUID") or "TransferSyntaxUID" not in dataset.file_meta:
        raise InputError(str(path), tr("It has no SOP Instance UID or no transfer syntax."))


def _warnings(dataset: Dataset) -> Iterator[str]:
    if read_text(dataset, "BurnedInAnnotation") == "YES":
        yield tr("The file says that text is burned into its pixels.")
        return
    try:
        is_written = any(find_burned_in_text(frame) for frame in _frames(dataset))
    except PARSER_ERRORS:
        yield tr("Its pixels could not be decoded: they were not looked through for text.")
        return
    if is_written:
        yield tr("There seems to be text in the pixels, at the border: look at it.")


def _frames(dataset: Dataset) -> Iterator[NDArray[np.generic]]:
    if "PixelData" not in dataset:
        return
    count = read_integer(dataset, "NumberOfFrames") or 1
    for index in sorted({0, count // 2, count - 1})[:_FRAMES_LOOKED_AT]:
        yield pixel_array(dataset, index=index)
