"""The PDF report as Encapsulated PDF (PS3.3 A.45.1)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.dicom import common


def build_encapsulated_pdf(content: ReportContent, pdf: bytes) -> Dataset:
    """The bytes of a PDF file as an object of the source's study."""
    assert content.source is not None
    dataset = common.create_object("pdf", EncapsulatedPDFStorage, "DOC", content.source)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"
    dataset.RecognizableVisualFeatures = "NO"
    time = content.answer.time
    dataset.AcquisitionDateTime = f"{time:%Y%m%d%H%M%S}"
    dataset.DocumentTitle = f"TumorViewer report. {RESEARCH_USE}"
    dataset.ConceptNameCodeSequence = []
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(pdf)
    dataset.EncapsulatedDocument = pdf + bytes(len(pdf) % 2)
    dataset.SourceInstanceSequence = [
        common.make_image_reference(content.source, index) for index in content.answer.key_slices
    ]
    if not dataset.SourceInstanceSequence:
        del dataset.SourceInstanceSequence
    return common.finish_object(dataset, "pdf", content)
