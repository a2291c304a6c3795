"""Reports that take the place of earlier ones, and name them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from tumorviewer.reports.content import ReportContent
from tumorviewer.reports.dicom.common import derive_instance_uid
from tumorviewer.reports.dicom.structured_report import build_structured_report
from tumorviewer.study.dicom.elements import PARSER_ERRORS


def build_next_report(content: ReportContent, earlier: Path) -> Dataset:
    """The structured report of a result, where an earlier one lies in a file.

    The earlier one itself if it says the same; else a new one that names it as its predecessor
    (PS3.3 C.17.2.3).

    Parameters
    ----------
    earlier
        Where it would lie; there need not be one.
    """
    report = build_structured_report(content)
    before = _read_report(earlier)
    if before is None or before.get("SeriesInstanceUID") != report.SeriesInstanceUID:
        return report
    alone = deepcopy(before)
    alone.pop("PredecessorDocumentsSequence", None)
    if derive_instance_uid(alone, "sr") == report.SOPInstanceUID:
        return before
    return build_structured_report(content, [before])


def _read_report(path: Path) -> Dataset | None:
    try:
        return pydicom.dcmread(path)
    except (InvalidDicomError, *PARSER_ERRORS):
        return None
