"""The deciding slices as a Key Object Selection (PS3.3 A.35.4)."""

from __future__ import annotations

import highdicom as hd
from pydicom.dataset import Dataset

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.dicom import codes, common


def build_key_objects(content: ReportContent) -> Dataset:
    """A selection of the instances of the deciding slices.

    Raises
    ------
    InputError
        If no slice decided.
    """
    assert content.source is not None
    slices = content.answer.key_slices
    if not slices:
        raise InputError(tr("Key objects"), tr("No slice decided the answer."))
    headers = [common.find_header(content.source, index)[0] for index in slices]
    chosen = list({str(header.SOPInstanceUID): header for header in headers}.values())
    selection = hd.ko.KeyObjectSelection(
        document_title=codes.OF_INTEREST,
        referenced_objects=chosen,
        description=f"Deciding slices of {content.answer.model.name}. {RESEARCH_USE}.",
    )
    dataset = hd.ko.KeyObjectSelectionDocument(
        evidence=chosen, content=selection, **common.make_series_values("ko", content.source)
    )
    return common.finish_object(dataset, "ko", content)
