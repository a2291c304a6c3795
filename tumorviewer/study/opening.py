"""Whatever a user brings, to studies: what each file is, who reads it, and what is left out.

The readers of DICOM and of NIfTI are imported where there is a file for them: they take as long as
the class of a picture.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.errors import InputError, NoImageError
from tumorviewer.language import later, tr
from tumorviewer.study import limits, pictures
from tumorviewer.study.file_finder import FileFinder, FoundFile
from tumorviewer.study.other_formats import refuse_other_format, refuse_pointer
from tumorviewer.study.sniffing import HEAD_BYTES, FileKind, recognise_kind
from tumorviewer.study.types import Opened, Refused, Study

if TYPE_CHECKING:
    from tumorviewer.study.dicom import Collector
    from tumorviewer.study.dicom.header import Header

_log = logging.getLogger(__name__)

_OPENABLE = later(
    "DICOM, NIfTI, PNG, JPEG, TIFF and BMP files can be, and folders and zips of them."
)

OpeningProgress = Callable[[int, int], None]
"""Told how many files were looked into, and how many were found so far; may raise
:class:`tumorviewer.errors.Cancelled`."""


def open_paths(paths: Iterable[str | Path], progress: OpeningProgress | None = None) -> Opened:
    """Find out what some files, folders and archives hold; headers are read, pixels are not.

    Parameters
    ----------
    paths
        Files, folders of any depth, DICOMDIRs and zip archives, in any mixture.
    progress
        Told how far it is.

    Returns
    -------
    Opened
        All that can be shown, and everything that cannot with the reason. Nothing is raised for
        what the files hold.

    Raises
    ------
    Cancelled
        If `progress` raises it.
    """
    opening = _Opening()
    named = [Path(path) for path in paths]
    for path in named:
        opening.files += opening.finder.find(path)
    for done, file in enumerate(opening.files):  # grows with what archives and DICOMDIRs hold
        if progress is not None:
            progress(done, len(opening.files))
        opening.take(file)
    return _without_silence(opening.result(), named)


def _without_silence(opened: Opened, named: list[Path]) -> Opened:
    """Say of a folder or archive that there is nothing to show in it, if nothing else was said."""
    if opened.studies or any(refused.is_error for refused in opened.refused):
        return opened
    explained = {refused.source for refused in opened.refused}
    silent = [str(path) for path in named if str(path) not in explained]
    nothing = tuple(
        Refused(source, tr("Nothing in it can be shown."), tr(_OPENABLE)) for source in silent
    )
    return replace(opened, refused=opened.refused + nothing)


class _Opening:
    """The state of one call of :func:`open_paths`."""

    def __init__(self) -> None:
        self.finder = FileFinder()
        self.files: list[FoundFile] = []
        self._dicom: Collector | None = None
        self._studies: list[Study] = []
        self._nifti_headers: set[Path] = set()

    def take(self, file: FoundFile) -> None:
        """Give a file to its reader, and note down why if that refuses it."""
        kind = None
        try:
            with file.path.open("rb") as stream:
                head = stream.read(HEAD_BYTES)
            kind = recognise_kind(head, file.path)
            self._read(file, kind, head)
        except InputError as error:
            self._refuse(error, file, kind)
        except OSError as error:
            self._refuse(limits.describe_unreadable(file.source, error), file, kind)
        except Exception as error:  # noqa: BLE001 - a parser's fault must not cost the other files
            _log.warning("A file could not be read: %s", type(error).__name__)
            reason = tr("It could not be read ({name}).", name=type(error).__name__)
            self._refuse(InputError(file.source, reason), file, kind)

    def result(self) -> Opened:
        """All that was taken."""
        keep = tuple(self.finder.folders) or None
        studies = [*(self._dicom.studies() if self._dicom else ()), *self._studies]
        return Opened(
            tuple(replace(study, keep=keep) for study in studies), tuple(self.finder.refused)
        )

    def _read(self, file: FoundFile, kind: FileKind | None, head: bytes) -> None:
        match kind:
            case FileKind.DICOM:
                self._read_dicom(file)
            case FileKind.NIFTI:
                self._read_nifti(file)
            case FileKind.PICTURE | FileKind.OTHER_PICTURE:
                self._studies.append(pictures.read_pictures(file.path, file.source))
            case FileKind.ARCHIVE:
                self._read_archive(file)
            case FileKind.GZIPPED_DICOM:
                self.files.append(self.finder.inflate(file))
            case FileKind.OTHER_FORMAT:
                refuse_other_format(head, file.path, file.source)
            case FileKind.POINTER:
                refuse_pointer(head, file.source)
            case None:
                raise InputError(file.source, tr("It is not a kind of file that can be shown."))

    def _read_dicom(self, file: FoundFile) -> None:
        if self._dicom is None:
            from tumorviewer.study.dicom import Collector

            self._dicom = Collector()
        answer = self._dicom.add(file.path, file.source)
        if isinstance(answer, Refused):
            self.finder.refused.append(answer)
        elif answer is not None:
            self._read_dicomdir(answer)

    def _read_dicomdir(self, header: Header) -> None:
        from tumorviewer.study.dicom.dicomdir import find_referenced_files

        paths, missing = find_referenced_files(header)
        folder = Path(header.source).parent
        for path in paths:
            source = str(folder / path.relative_to(header.path.parent))
            self.files += self.finder.find(path, source)
        self.finder.refused += missing
        reason = tr(
            "It is a directory of {n} other files, not an image.",
            n=len(paths) + len(missing),
        )
        self.finder.refused.append(Refused(header.source, reason, is_error=False))

    def _read_nifti(self, file: FoundFile) -> None:
        from tumorviewer.study import nifti

        header = nifti.find_header_path(file.path)
        if header not in self._nifti_headers:
            self._nifti_headers.add(header)
            self._studies.append(nifti.read_nifti(file.path, file.source))

    def _read_archive(self, file: FoundFile) -> None:
        if file.is_unpacked:
            raise InputError(
                file.source,
                tr("It is an archive inside an archive."),
                tr("Unpack the outer one and open the inner one."),
            )
        if not file.is_named and file.path.suffix.lower() != ".zip":
            raise InputError(file.source, tr("It is not a kind of file that can be shown."))
        self.files += self.finder.unpack(file)

    def _refuse(self, error: InputError, file: FoundFile, kind: FileKind | None) -> None:
        """List a refusal; what nobody asked for and nobody claims is not an error."""
        is_claimed = kind not in (None, FileKind.OTHER_PICTURE, FileKind.OTHER_FORMAT)
        is_error = not isinstance(error, NoImageError) and (file.is_named or is_claimed)
        refused = Refused(error.source, error.reason, error.remedy, is_error)
        self.finder.refused.append(refused)
