"""Outlines as a DICOM Segmentation (PS3.3 A.51): binary, all frames, the empty ones too."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.dicom import codes, common
from tumorviewer.reports.dicom.frame_matching import arrange_frames


def build_segmentation(content: ReportContent) -> Dataset:
    """The outline as a segmentation of the source's frames.

    Empty frames are written: readers that place frames by their number (SimpleITK 2.5, dcm2niix)
    put a lesion with a gap on other slices where they are left out.

    Raises
    ------
    InputError
        If there is no outline, or the source has no place in the patient.
    """
    assert content.source is not None
    source, outline = content.source, content.outline
    if outline is None or not outline.any():
        raise InputError(tr("Segmentation"), tr("There is no outline."))
    common.check_placed(source, tr("Segmentation"))
    frames = arrange_frames(source, outline.shape[1:], np.bool_, lambda index: outline[index])
    dataset = hd.seg.Segmentation(
        source_images=list(source.headers),
        pixel_array=frames,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(content)],
        omit_empty_frames=False,
        content_label="OUTLINE",
        content_description=RESEARCH_USE,
        content_creator_name=common.format_person(content.outline_by),
        **common.make_series_values("seg", source),
        **common.make_equipment_values(content),
    )
    return common.finish_object(dataset, "seg", content)


def _segment(content: ReportContent) -> hd.seg.SegmentDescription:
    model = content.outline_model
    algorithm = None
    if model is not None:
        algorithm = hd.AlgorithmIdentificationSequence(
            name=model.name, family=codes.ARTIFICIAL_INTELLIGENCE, version=model.version
        )
    return hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Tumour",
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=codes.NEOPLASM,
        algorithm_type="MANUAL" if model is None else "AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_id="outline",
        tracking_uid=common.derive_uid("outline", str(content.source.first.SeriesInstanceUID)),  # type: ignore[union-attr]
        anatomic_regions=[codes.BRAIN],
    )
