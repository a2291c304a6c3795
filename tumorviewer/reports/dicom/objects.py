"""Every kind of object by its name, built or refused in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydicom.dataset import Dataset

from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.reports.content import ReportContent
from tumorviewer.reports.dicom.encapsulated_pdf import build_encapsulated_pdf
from tumorviewer.reports.dicom.key_objects import build_key_objects
from tumorviewer.reports.dicom.presentation import build_presentation_state
from tumorviewer.reports.dicom.saliency_map import build_saliency_map
from tumorviewer.reports.dicom.secondary_capture import build_secondary_captures
from tumorviewer.reports.dicom.segmentation import build_segmentation
from tumorviewer.reports.dicom.structured_report import build_structured_report

_BUILDERS: Mapping[str, Callable[[ReportContent], Dataset | list[Dataset]]] = {
    "sc": build_secondary_captures,
    "sr": build_structured_report,
    "pm": build_saliency_map,
    "seg": build_segmentation,
    "pr": build_presentation_state,
    "ko": build_key_objects,
}
NAMES = {
    "sc": later("Secondary capture"),
    "sr": later("Structured report"),
    "pm": later("Parametric map"),
    "seg": later("Segmentation"),
    "pr": later("Presentation state"),
    "ko": later("Key objects"),
    "pdf": later("Encapsulated PDF"),
}


def build_objects(kind: str, content: ReportContent, pdf: bytes = b"") -> list[Dataset]:
    """The objects of one kind.

    Parameters
    ----------
    kind
        A key of :data:`NAMES`.
    pdf
        The report, for the kind ``pdf``.

    Raises
    ------
    InputError
        If the source, or what there is to say, does not allow it.
    """
    name = tr(NAMES[kind])
    if content.source is None:
        raise InputError(name, tr("The images are not DICOM: there is no study to add it to."))
    if kind == "pdf":
        return [build_encapsulated_pdf(content, pdf)]
    try:
        built = _BUILDERS[kind](content)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        reason = tr("The headers of the images do not allow it: {detail}", detail=error)
        raise InputError(name, reason) from error
    return built if isinstance(built, list) else [built]
