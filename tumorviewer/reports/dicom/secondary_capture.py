"""Key images as Secondary Capture (PS3.3 A.8.1), element by element.

highdicom 0.28's lacks Burned In Annotation and Source Image Sequence.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.dicom import codes, common
from tumorviewer.reports.key_images import KeyImage, choose_key_slices, render_key_image


def build_secondary_captures(content: ReportContent) -> list[Dataset]:
    """One capture of each deciding slice, with outline, map and label in its pixels."""
    return [
        _capture(content, render_key_image(content, index), number)
        for number, index in enumerate(choose_key_slices(content), 1)
    ]


def _capture(content: ReportContent, image: KeyImage, number: int) -> Dataset:
    assert content.source is not None
    dataset = common.create_object("sc", SecondaryCaptureImageStorage, "OT", content.source)
    dataset.InstanceNumber = number
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.BodyPartExamined = "BRAIN"
    dataset.PatientOrientation = None
    dataset.BurnedInAnnotation = "NO"  # the label does not identify the patient (C.7.6.1)
    dataset.RecognizableVisualFeatures = "NO"
    dataset.LossyImageCompression = "00"
    dataset.DerivationDescription = f"Slice with outline and saliency map. {RESEARCH_USE}"
    dataset.ImageComments = f"{image.caption} {RESEARCH_USE}"
    source = common.make_image_reference(content.source, image.index)
    source.PurposeOfReferenceCodeSequence = [common.make_code_item(codes.SOURCE_IMAGE)]
    dataset.SourceImageSequence = [source]
    _set_pixels(dataset, image)
    return common.finish_object(dataset, "sc", content)


def _set_pixels(dataset: Dataset, image: KeyImage) -> None:
    rows, columns = image.pixels.shape[:2]
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "RGB"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    pixels = image.pixels.tobytes()
    dataset.PixelData = pixels + bytes(len(pixels) % 2)
    dataset["PixelData"].VR = "OW"
