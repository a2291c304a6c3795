"""Annotations in the window: on every viewport, in the list, on the clipboard, and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPointF, Signal
from PySide6.QtGui import QGuiApplication, QUndoGroup

from tumorviewer.desktop.annotations import canvas, clipboard, descriptions
from tumorviewer.desktop.annotations.annotation_list import AnnotationPanel
from tumorviewer.desktop.annotations.annotation_tool import AnnotationTool
from tumorviewer.desktop.annotations.annotation_writer import AnnotationWriter
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.annotations.text_entry import TextEntry
from tumorviewer.desktop.services.library import identify_subject
from tumorviewer.desktop.viewer.layouts import PLANES, STRAIGHT, Layout
from tumorviewer.desktop.viewer.panes import Panes
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.imaging.measurement import AnnotationKind
from tumorviewer.language import small, tr
from tumorviewer.records import Annotation
from tumorviewer.records.identity import volume_key
from tumorviewer.study.types import Series, Study

if TYPE_CHECKING:
    from tumorviewer.desktop.services.records_executor import RecordsExecutor
    from tumorviewer.records import WorklistEntry


class AnnotationController(QObject):
    """Annotations on the viewports of a window.

    Parameters
    ----------
    panes
        Where they are drawn.
    """

    series_wanted = Signal(Series, int)
    """An annotation is on another volume: its series, and the volume's index."""
    layout_wanted = Signal(Layout)
    """An annotation lies in a plane that is not shown: a :class:`Layout` that may show it."""
    exported = Signal(Study, str)
    """Something of a :class:`Study` was copied for other programs, and what."""

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.panel = AnnotationPanel()
        self.undo_group = QUndoGroup(self)
        self.tool = AnnotationTool(self._find_annotations, self)
        self._panes = panes
        self._of_studies: dict[Hashable, StudyAnnotations] = {}
        self._annotations: StudyAnnotations | None = None
        self._target: Annotation | None = None
        self.tool.kind_changed.connect(self._show)
        self.tool.text_wanted.connect(self._ask_text)
        self.panel.jump_wanted.connect(self.jump)
        self.panel.edit_wanted.connect(self.edit_text)
        panes.viewport_made.connect(self._equip)
        for viewport in panes.viewports():
            self._equip(viewport)

    # Which annotations

    @property
    def current(self) -> StudyAnnotations | None:
        """The annotations of the shown study."""
        return self._annotations

    def show_study(self, study: Study | None) -> None:
        """The annotations of this study are listed, drawn and undone from now on."""
        self.tool.choose(None)
        self._annotations = None if study is None else self.annotations_of(study)
        for each in self._of_studies.values():
            each.undo_stack.setActive(each is self._annotations)
        self._show()

    def annotations_of(self, study: Study) -> StudyAnnotations:
        """The annotations of an open study; series that join it do not make it another."""
        key = identify_subject(study)
        if key not in self._of_studies:
            made = self._of_studies[key] = StudyAnnotations(study, self)
            self.undo_group.addStack(made.undo_stack)
            made.changed.connect(self._show)
            made.moved.connect(self._show_moved)
        self._of_studies[key].study = study
        return self._of_studies[key]

    def keep_open(self, studies: list[Study]) -> None:
        """Forget the annotations of studies that are closed; of others, series may have come."""
        here = {identify_subject(study): study for study in studies}
        for key, each in self._of_studies.items():
            each.study = here.get(key, each.study)
        for key in set(self._of_studies) - set(here):
            closed = self._of_studies.pop(key)
            self.undo_group.removeStack(closed.undo_stack)
            closed.setParent(None)  # the records may still be about to answer it

    def keep_with(self, executor: RecordsExecutor, study: Study, entry: WorklistEntry) -> None:
        """Bring back the annotations that the records have of a study, and keep every change."""
        annotations = self.annotations_of(study)
        if annotations.findChild(AnnotationWriter) is None:
            keeper = AnnotationWriter(annotations, executor, entry.id)
            keeper.troubled.connect(self.panel.show_trouble)

    # Actions

    def actions(self) -> dict[str, Callable[[], object]]:
        """What the entries of the menu Annotations do."""
        draw: dict[str, Callable[[], object]] = {
            f"mark_{kind}": partial(self.draw, kind) for kind in AnnotationKind
        }
        return draw | {
            "undo": self.undo_group.undo,
            "redo": self.undo_group.redo,
            "delete_mark": self.delete,
            "edit_mark": self.edit_text,
            "move_mark": self.move_by_keys,
            "next_mark": partial(self.step, 1),
            "previous_mark": partial(self.step, -1),
            "copy_marks": self.copy_text,
            "copy_picture": self.copy_picture,
        }

    def draw(self, kind: AnnotationKind) -> None:
        """Draw an annotation of a kind next; asked for twice, none."""
        if self._annotations is not None and self._panes.isVisible():
            self.tool.choose(None if self.tool.kind is kind else kind)
            self._panes.active.setFocus()

    def delete(self) -> None:
        """Delete the selected annotation."""
        annotations = self._annotations
        annotation = annotations.get(annotations.selected) if annotations is not None else None
        if annotations is not None and annotation is not None and self._panes.isVisible():
            annotations.delete(
                annotation.id,
                tr("delete {mark}", mark=small(descriptions.name_annotation(annotation))),
            )

    def move_by_keys(self) -> None:
        """Let the arrow keys move the selected annotation."""
        if self._panes.isVisible():
            self._panes.active.setFocus()
            self.tool.take_hold(self._panes.active)

    def edit_text(self, identifier: str | None = None) -> None:
        """Type the text of an annotation, of the selected one by default."""
        annotations = self._annotations
        annotation = (
            annotations.get(identifier or annotations.selected) if annotations is not None else None
        )
        if annotations is None or annotation is None:
            return
        self.jump(annotation.id)
        viewport = self._viewport_of(annotation, annotations)
        if viewport is not None:
            at = canvas.map_to_screen(viewport, canvas.get_points(annotation))[0]
            TextEntry(
                viewport, at, annotation.text, partial(self._set_text, annotations, annotation)
            )

    def jump(self, identifier: str) -> None:
        """Select an annotation and go to where it is, on its own series."""
        annotations = self._annotations
        annotation = annotations.get(identifier) if annotations is not None else None
        if annotations is None or annotation is None:
            return
        annotations.select(annotation.id)
        place = _find(annotations.study, annotation)
        if place is not None and annotation.volume != annotations.key_of(self._panes.first.volume):
            self._target = annotation
            self.series_wanted.emit(*place)
        elif place is not None:
            self._go_to(annotation, annotations)

    def _go_to(self, annotation: Annotation, annotations: StudyAnnotations) -> None:
        """Show the plane of an annotation, with a layout that has it."""
        middle = canvas.get_points(annotation).mean(axis=0)
        self._panes.link.place(self._panes.first, middle)
        for layout in (PLANES, STRAIGHT):
            if self._viewport_of(annotation, annotations) is None:
                self.layout_wanted.emit(layout)
                self._panes.link.place(self._panes.first, middle)

    def _viewport_of(
        self, annotation: Annotation, annotations: StudyAnnotations
    ) -> Viewport | None:
        """A viewport that shows an annotation, the active one first."""
        viewports = [self._panes.active, *self._panes.viewports()]
        seen = (
            v
            for v in viewports
            if v.isVisible() and annotation in canvas.list_shown(v, annotations)
        )
        return next(seen, None)

    def arrive(self) -> None:
        """A volume is loaded: go to the annotation that it was wanted for."""
        annotation, self._target = self._target, None
        shown = (
            self._annotations.key_of(self._panes.first.volume)
            if self._annotations is not None
            else None
        )
        if annotation is not None and annotation.volume == shown:
            self.jump(annotation.id)

    def step(self, step: int) -> None:
        """Go to the next annotation of the list."""
        listed = self._annotations.all() if self._annotations is not None else []
        if self._annotations is not None and listed:
            ids = [annotation.id for annotation in listed]
            selected = self._annotations.selected
            at = ids.index(selected) + step if selected in ids else min(step, 0)
            self.jump(ids[at % len(ids)])

    def copy_text(self) -> None:
        """All annotations of the study, as a table that spreadsheets read."""
        if self._annotations is not None:
            QGuiApplication.clipboard().setText(clipboard.tabulate_annotations(self._annotations))
            self.exported.emit(self._annotations.study, "marks as text")

    def copy_picture(self) -> None:
        """The viewport that the reader works in, as it is seen."""
        QGuiApplication.clipboard().setImage(clipboard.grab_viewport(self._panes.active))
        annotations = self._find_annotations(self._panes.active)
        if annotations is not None:
            self.exported.emit(annotations.study, "view as picture")

    # On the viewports

    def _equip(self, viewport: Viewport) -> None:
        viewport.installEventFilter(self.tool)
        viewport.annotations = partial(self.tool.draw, viewport=viewport)

    def _find_annotations(self, viewport: Viewport) -> StudyAnnotations | None:
        """The annotations of the study that the viewport shows, which may be a prior."""
        candidates = [self._annotations, *self._of_studies.values()]
        return next((b for b in candidates if b and b.key_of(viewport.state.volume)), None)

    def _show(self) -> None:
        annotations = self._annotations
        volumes = {} if annotations is None else _volumes(annotations.study)
        self.panel.show_annotations(annotations, volumes)
        for viewport in self._panes.viewports():
            viewport.update()

    def _show_moved(self, before: Annotation, annotation: Annotation) -> None:
        self.panel.show_moved(annotation)
        for viewport in self._panes.viewports():
            annotations = self._find_annotations(viewport) if viewport.isVisible() else None
            if annotations is not None and canvas.shows_annotation(
                viewport, annotations, before, annotation
            ):
                viewport.update()

    def _ask_text(self, annotation: Annotation, viewport: Viewport) -> None:
        annotations = self._find_annotations(viewport)
        at: QPointF = canvas.map_to_screen(viewport, canvas.get_points(annotation))[0]
        if annotations is not None:
            TextEntry(viewport, at, "", partial(_add_text, annotations, annotation))

    def _set_text(self, annotations: StudyAnnotations, annotation: Annotation, text: str) -> None:
        if text or annotation.type != AnnotationKind.TEXT:
            annotations.change(replace(annotation, text=text), tr("change text"))


def _add_text(annotations: StudyAnnotations, annotation: Annotation, text: str) -> None:
    if text:
        annotations.add(replace(annotation, text=text), tr("write text"))


def _volumes(study: Study) -> dict[str, tuple[Series, int]]:
    """Series and index of each volume of a study."""
    return {
        volume_key(series, source): (series, at)
        for series in study.series
        for at, source in enumerate(series.volumes)
    }


def _find(study: Study, annotation: Annotation) -> tuple[Series, int] | None:
    return _volumes(study).get(annotation.volume)
