"""DICOMDIR: the files that a medium's directory names (PS3.3 annex F)."""

from __future__ import annotations

from pathlib import Path

from tumorviewer.language import tr
from tumorviewer.study.dicom.elements import read_items, read_text
from tumorviewer.study.dicom.header import Header
from tumorviewer.study.types import Refused


def find_referenced_files(header: Header) -> tuple[list[Path], list[Refused]]:
    """The files that a DICOMDIR names, and those of them that are not there.

    Parameters
    ----------
    header
        Of the DICOMDIR; its files lie in its own folder and below.
    """
    folder = header.path.parent
    found, refused = [], []
    for record in read_items(header.dataset, "DirectoryRecordSequence"):
        parts = [part for part in read_text(record, "ReferencedFileID").split("\\") if part]
        if not parts:
            continue
        path = _resolve(folder, parts)
        if path is not None:
            found.append(path)
        else:
            source = str(Path(header.source).parent.joinpath(*parts))
            reason = tr("The DICOMDIR names it, but it is not there.")
            refused.append(
                Refused(source, reason, tr("Copy the whole medium, not only a part of it."))
            )
    return found, refused


def _resolve(folder: Path, parts: list[str]) -> Path | None:
    """The file, also where the case of its name was changed in copying; None if not below."""
    path = folder
    for part in parts:
        if part in ("..", ".") or "/" in part:
            return None
        exact = path / part
        path = exact if exact.exists() else _ignoring_case(path, part)
        if not path.exists():
            return None
    return path


def _ignoring_case(folder: Path, name: str) -> Path:
    """A file of the name in any case, with or without the version number of ISO 9660."""
    wanted = name.lower()
    names = (wanted, f"{wanted};1", f"{wanted}.;1")
    children = folder.iterdir() if folder.is_dir() else ()
    return next((child for child in children if child.name.lower() in names), folder / name)
