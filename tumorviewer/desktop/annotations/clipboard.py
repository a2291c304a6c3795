"""Marks as text and as a picture, for other programs."""

from __future__ import annotations

from PySide6.QtGui import QImage

from tumorviewer.desktop.annotations import descriptions
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.language import tr
from tumorviewer.records.identity import volume_key
from tumorviewer.study.volume_labels import translate_label


def tabulate_annotations(book: StudyAnnotations) -> str:
    """A line for each mark: kind, text, figures, series; separated by tabs."""
    rows = [(tr("Mark"), tr("Text"), tr("Measured"), tr("Series"))]
    for mark in book.marks():
        figures = "; ".join(
            (*descriptions.format_measurements(mark), *descriptions.list_warnings(mark))
        )
        rows.append(
            (descriptions.name_annotation(mark), mark.text, figures, _series(book, mark.volume))
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


def _series(book: StudyAnnotations, volume: str) -> str:
    for series in book.study.series:
        for source in series.volumes:
            if volume == volume_key(series, source):
                return f"{series.title} {translate_label(source.label)}".strip()
    return volume
