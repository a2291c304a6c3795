"""Annotations as text and as a picture, for other programs."""

from __future__ import annotations

from PySide6.QtGui import QImage

from tumorviewer.desktop.annotations import descriptions
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.language import tr
from tumorviewer.records.identity import volume_key
from tumorviewer.study.volume_labels import translate_label


def tabulate_annotations(annotations: StudyAnnotations) -> str:
    """A line for each annotation: kind, text, figures, series; separated by tabs."""
    rows = [(tr("Mark"), tr("Text"), tr("Measured"), tr("Series"))]
    for annotation in annotations.all():
        figures = "; ".join(
            (*descriptions.format_measurements(annotation), *descriptions.list_warnings(annotation))
        )
        rows.append(
            (
                descriptions.name_annotation(annotation),
                annotation.text,
                figures,
                _series(annotations, annotation.volume),
            )
        )
    return "\n".join("\t".join(row) for row in rows)


def grab_viewport(viewport: Viewport) -> QImage:
    """What a viewport shows, without the frame of the keyboard focus."""
    had_focus = viewport.hasFocus()
    viewport.clearFocus()
    image = viewport.grab().toImage()
    if had_focus:
        viewport.setFocus()
    return image


def _series(annotations: StudyAnnotations, volume: str) -> str:
    for series in annotations.study.series:
        for source in series.volumes:
            if volume == volume_key(series, source):
                return f"{series.title} {translate_label(source.label)}".strip()
    return volume
