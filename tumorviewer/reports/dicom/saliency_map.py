"""Saliency as a DICOM Parametric Map of floats (PS3.3 A.75)."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset

from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.dicom import codes, common
from tumorviewer.reports.dicom.frame_matching import arrange_frames


def build_saliency_map(content: ReportContent) -> Dataset:
    """The saliency, 0 to 1, of every frame of the source; 0 where a slice has no map.

    Raises
    ------
    InputError
        If there is no map, or the source has no place in the patient.
    """
    assert content.source is not None
    source, maps = content.source, content.maps
    if not maps:
        raise InputError(tr("Parametric map"), tr("There is no saliency map."))
    common.check_placed(source, tr("Parametric map"))
    shape = next(iter(maps.values())).shape
    frames = arrange_frames(source, (shape[0], shape[1]), np.float32, maps.get)
    dataset = hd.pm.ParametricMap(
        source_images=list(source.headers),
        pixel_array=frames,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping()],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        content_label="SALIENCY",
        content_description=f"{content.map_method or 'Saliency'}. {RESEARCH_USE}"[:64],
        **common.make_series_values("pm", source),
        **common.make_equipment_values(content),
    )
    dataset.BodyPartExamined = "BRAIN"
    return common.finish_object(dataset, "pm", content)


def _mapping() -> hd.pm.RealWorldValueMapping:
    return hd.pm.RealWorldValueMapping(
        lut_label="SALIENCY",
        lut_explanation="Class activation, 0 to 1",
        unit=codes.NO_UNIT,
        value_range=[0.0, 1.0],
        slope=1.0,
        intercept=0.0,
    )
