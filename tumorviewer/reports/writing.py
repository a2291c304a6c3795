"""Documents of one result as files: what was written, and what was not and why."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr
from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.study.types import Placement

FORMATS = ("pdf", "sc", "sr", "pm", "seg", "pr", "ko", "fhir", "png", "nifti")
DICOM_FORMATS = ("sc", "sr", "pm", "seg", "pr", "ko")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass
class WrittenReport:
    """What came of writing a report."""

    files: dict[str, list[str]] = field(default_factory=dict)
    """Names of the files, by format."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why there is no file, by format."""


def write_report(
    content: ReportContent,
    folder: Path,
    stem: str,
    formats: Sequence[str] = FORMATS,
    progress: Callable[[str], object] = lambda _format: None,
) -> WrittenReport:
    """Write the documents of a result.

    Parameters
    ----------
    stem
        What the names of the files begin with.
    progress
        Told each format before it is made; what it raises ends the work.

    Returns
    -------
    WrittenReport
        A format that the result or its source does not allow is among the refused.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    written = WrittenReport()
    pdf = _pdf(content) if "pdf" in formats else b""
    for kind in formats:
        progress(kind)
        try:
            files = list(_documents(kind, content, pdf, written, folder / f"{stem}-sr.dcm"))
        except InputError as error:
            written.refused[kind] = error.message
            continue
        written.files[kind] = [_write(folder / f"{stem}-{name}", data) for name, data in files]
    return written


def _documents(
    kind: str, content: ReportContent, pdf: bytes, written: WrittenReport, earlier: Path
) -> Iterator[tuple[str, bytes]]:
    """Ends of names and contents of the files of one format; `earlier` is the report of before."""
    if kind == "sr" and content.source is not None:
        from tumorviewer.reports.dicom.common import encode_file
        from tumorviewer.reports.dicom.versions import build_next_report

        yield "sr.dcm", encode_file(build_next_report(content, earlier))
    elif kind in DICOM_FORMATS:
        yield from _dicom_files(kind, content)
    elif kind == "pdf":
        yield "report.pdf", pdf
        if content.source is None:
            written.refused["pdf.dcm"] = tr(
                "The images are not DICOM: there is no study to add it to."
            )
        else:
            yield from _dicom_files("pdf", content, pdf)
    elif kind == "fhir":
        from tumorviewer.reports.fhir import build_bundle

        yield "fhir.json", json.dumps(build_bundle(content), indent=1).encode()
    elif kind == "png":
        yield from _pictures(content)
    else:
        yield from _niftis(content)


def _dicom_files(
    kind: str, content: ReportContent, pdf: bytes = b""
) -> Iterator[tuple[str, bytes]]:
    from tumorviewer.reports.dicom.common import encode_file
    from tumorviewer.reports.dicom.objects import build_objects

    objects = build_objects(kind, content, pdf)
    for number, dataset in enumerate(objects, 1):
        suffix = f"-{number}" if len(objects) > 1 else ""
        yield f"{kind}{suffix}.dcm", encode_file(dataset)


def _pdf(content: ReportContent) -> bytes:
    from tumorviewer.reports.pdf import write_pdf

    return write_pdf(content)


def _pictures(content: ReportContent) -> Iterator[tuple[str, bytes]]:
    from tumorviewer.reports.report_html import encode_png, render_key_images

    for image in render_key_images(content):
        yield f"slice{image.index + 1:03}.png", encode_png(image)


def _niftis(content: ReportContent) -> Iterator[tuple[str, bytes]]:
    if content.volume.placement is not Placement.PATIENT:
        raise InputError("NIfTI", tr("The images do not say where in the patient they lie."))
    if content.outline is None and not content.maps:
        raise InputError("NIfTI", tr("There is no outline and no saliency map."))
    if content.outline is not None:
        yield "outline.nii.gz", _nifti(content, content.outline.astype(np.uint8))
    if content.maps:
        shape = content.volume.array.shape[:3]
        whole = np.zeros(shape, np.float32)
        for index, map_HW in content.maps.items():
            whole[index] = map_HW
        yield "saliency.nii.gz", _nifti(content, whole)


def _nifti(content: ReportContent, values: NDArray[np.generic]) -> bytes:
    image = nibabel.Nifti1Image(values, _LPS_TO_RAS @ content.volume.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = RESEARCH_USE
    return gzip.compress(image.to_bytes(), mtime=0)


def _write(path: Path, data: bytes) -> str:
    try:
        with replace_atomically(path) as beside:
            beside.write_bytes(data)
    except OSError as error:
        reason = tr("It cannot be written: {error}.", error=error.strerror or error)
        raise InputError(str(path), reason, tr("Make room or choose another folder.")) from error
    return path.name
