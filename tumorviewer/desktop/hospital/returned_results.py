"""Results that were opened beside a series: outlines and reports of archives, laid over it by
reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.desktop.outlines.outline_layer import Outline
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.types import VolumeReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from tumorviewer.reports.content import SourceSeries
    from tumorviewer.reports.returned import Returned, ReturnedVerdict

_FINDINGS = ("Finding", "Presence")


@dataclass(frozen=True, eq=False)
class ReturnedResults:
    """What archives hold for one volume."""

    outlines: tuple[Outline, ...] = ()
    reports: tuple[str, ...] = ()
    """What each structured report says, and who stands behind it, in words."""


def read_results(
    paths: Iterable[Path], reader: VolumeReader, check: Callable[[], None]
) -> ReturnedResults:
    """Read what some files hold for a volume; those of other series and studies are passed over.

    Parameters
    ----------
    check
        Raises :class:`tumorviewer.errors.Cancelled` once nobody wants the answer.
    """
    from tumorviewer.reports.dicom.headers import read_source
    from tumorviewer.reports.returned import read_returned
    from tumorviewer.study.dicom.volume import DicomVolume

    if not isinstance(reader, DicomVolume):
        return ReturnedResults()
    source = read_source(reader)
    outlines: list[Outline] = []
    reports: list[str] = []
    for path in paths:
        check()
        if not _is_of_study(path, source):
            continue
        try:
            returned = read_returned(path, source, reader.shape)
        except InputError:
            continue
        outlines += _outlines(returned)
        if returned.verdict is not None:
            reports.append(describe_report(returned.verdict))
    return ReturnedResults(tuple(outlines), tuple(dict.fromkeys(reports)))


def describe_report(report: ReturnedVerdict) -> str:
    """What a structured report found, in a line."""
    said = [value for name, value in report.statements if name in _FINDINGS]
    found = ", ".join(dict.fromkeys(said[:4])) or tr("no coded finding")
    if not report.is_verified:
        return tr("{found}: not verified by a reader", found=found)
    name = " ".join(report.verifier.replace("^", " ").split())
    day = f"{report.time[:4]}-{report.time[4:6]}-{report.time[6:8]}"
    return tr("{found}: verified by {name}, {day}", found=found, name=name, day=day)


def _outlines(returned: Returned) -> list[Outline]:
    return [
        Outline(one.mask, (tr("Archive: {label}", label=one.label),))
        for one in returned.outlines
        if one.mask.any()
    ]


def _is_of_study(path: Path, source: SourceSeries) -> bool:
    import pydicom
    from pydicom.errors import InvalidDicomError

    from tumorviewer.study.dicom.elements import PARSER_ERRORS, read_text

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    except (InvalidDicomError, *PARSER_ERRORS):
        return False
    uid = read_text(header, "StudyInstanceUID")
    return uid == read_text(source.first, "StudyInstanceUID")
