"""The outline and the answer as a Grayscale Softcopy Presentation State (PS3.3 A.33.1)."""

from __future__ import annotations

from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset

from tumorviewer.reports.content import RESEARCH_USE, ReportContent
from tumorviewer.reports.dicom import common
from tumorviewer.reports.key_images import choose_key_slices, describe_slice
from tumorviewer.reports.polygons import list_outlined_slices, trace_outline

_LAYER = "TUMORVIEWER"
_CENTRE_OF_FIRST_PIXEL = 1.0
"""Column and row of the centre of the first pixel in PIXEL units (PS3.3 C.10.5.1.2)."""


def build_presentation_state(content: ReportContent) -> Dataset:
    """Polygons on the outlined slices and a line of text on the deciding ones."""
    assert content.source is not None
    source = content.source
    layer = hd.pr.GraphicLayer(_LAYER, order=1, description="AI result, research use only")
    outlined = [] if content.outline is None else list_outlined_slices(content.outline)
    indices = dict.fromkeys([*choose_key_slices(content), *outlined])
    dataset = hd.pr.GrayscaleSoftcopyPresentationState(
        referenced_images=list(source.headers),
        content_label="TUMORVIEWER",
        content_description=RESEARCH_USE,
        graphic_layers=[layer],
        graphic_annotations=[_annotation(content, index, layer) for index in indices],
        voi_lut_transformations=_windows(source.first),
        **common.make_series_values("pr", source),
        **common.make_equipment_values(content),
    )
    dataset.BodyPartExamined = "BRAIN"
    return common.finish_object(dataset, "pr", content)


def _annotation(
    content: ReportContent, index: int, layer: hd.pr.GraphicLayer
) -> hd.pr.GraphicAnnotation:
    assert content.source is not None
    header, frame = common.find_header(content.source, index)
    polygons = [] if content.outline is None else trace_outline(content.outline[index])
    graphics = [
        hd.pr.GraphicObject("POLYLINE", polygon + _CENTRE_OF_FIRST_PIXEL, units="PIXEL")
        for polygon in polygons
    ]
    texts = []
    if index in choose_key_slices(content):
        told = f"{describe_slice(content, index)} {RESEARCH_USE}."
        box = (0.02, 0.02, 0.98, 0.12)
        texts = [
            hd.pr.TextObject(told, units="DISPLAY", bounding_box=box, text_justification="LEFT")
        ]
    return hd.pr.GraphicAnnotation(
        referenced_images=[header],
        graphic_layer=layer,
        referenced_frame_number=frame,
        graphic_objects=graphics or None,
        text_objects=texts or None,
    )


def _windows(header: Dataset) -> list[Any] | None:
    if "WindowCenter" not in header or "WindowWidth" not in header:
        return None
    centre, width = (
        value[0] if isinstance(value, list | hd.pr.content.MultiValue) else value
        for value in (header.WindowCenter, header.WindowWidth)
    )
    return [hd.pr.SoftcopyVOILUTTransformation(window_center=centre, window_width=width)]
