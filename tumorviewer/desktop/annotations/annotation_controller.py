"""Marks as the window has them: on every viewport, in the list, on the clipboard, and kept."""

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
    """Marks on the viewports of a window.

    Parameters
    ----------
    panes
        Where they are drawn.
    """

    series_wanted = Signal(Series, int)
    """A mark is on another volume: its series, and the volume's index."""
    layout_wanted = Signal(Layout)
    """A mark lies in a plane that is not shown: a :class:`Layout` that may show it."""
    exported = Signal(Study, str)
    """Something of a :class:`Study` was copied for other programs, and what."""

    def __init__(self, panes: Panes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.panel = AnnotationPanel()
        self.undo_group = QUndoGroup(self)
        self.tool = AnnotationTool(self._book_of, self)
        self._panes = panes
        self._books: dict[Hashable, StudyAnnotations] = {}
        self._book: StudyAnnotations | None = None
        self._target: Annotation | None = None
        self.tool.kind_changed.connect(self._show)
        self.tool.text_wanted.connect(self._ask_text)
        self.panel.jump_wanted.connect(self.jump)
        self.panel.edit_wanted.connect(self.edit_text)
        panes.viewport_made.connect(self._equip)
        for viewport in panes.viewports():
            self._equip(viewport)

    # Which marks

    @property
    def book(self) -> StudyAnnotations | None:
        """The marks of the shown study."""
        return self._book

    def show_study(self, study: Study | None) -> None:
        """The marks of this study are listed, drawn and undone from now on."""
        self.tool.choose(None)
        self._book = None if study is None else self.book_of(study)
        for book in self._books.values():
            book.undo_stack.setActive(book is self._book)
        self._show()

    def book_of(self, study: Study) -> StudyAnnotations:
        """The marks of an open study; series that join it do not make it another."""
        key = identify_subject(study)
        if key not in self._books:
            made = self._books[key] = StudyAnnotations(study, self)
            self.undo_group.addStack(made.undo_stack)
            made.changed.connect(self._show)
            made.moved.connect(self._show_moved)
        self._books[key].study = study
        return self._books[key]

    def keep_open(self, studies: list[Study]) -> None:
        """Forget the marks of studies that are closed; of others, series may have come."""
        here = {identify_subject(study): study for study in studies}
        for key, book in self._books.items():
            book.study = here.get(key, book.study)
        for key in set(self._books) - set(here):
            book = self._books.pop(key)
            self.undo_group.removeStack(book.undo_stack)
            book.setParent(None)  # its marks may still be on their way from the records

    def keep_with(self, executor: RecordsExecutor, study: Study, entry: WorklistEntry) -> None:
        """Bring back the marks that the records have of a study, and keep every change."""
        book = self.book_of(study)
        if book.findChild(AnnotationWriter) is None:
            keeper = AnnotationWriter(book, executor, entry.id)
            keeper.troubled.connect(self.panel.show_trouble)

    # Actions

    def actions(self) -> dict[str, Callable[[], object]]:
        """What the entries of the menu Marks do."""
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
        """Draw a mark of a kind next; asked for twice, none."""
        if self._book is not None and self._panes.isVisible():
            self.tool.choose(None if self.tool.kind is kind else kind)
            self._panes.active.setFocus()

    def delete(self) -> None:
        """Delete the selected mark."""
        book = self._book
        mark = book.get(book.selected) if book is not None else None
        if book is not None and mark is not None and self._panes.isVisible():
            book.delete(
                mark.id, tr("delete {mark}", mark=small(descriptions.name_annotation(mark)))
            )

    def move_by_keys(self) -> None:
        """Let the arrow keys move the selected mark."""
        if self._panes.isVisible():
            self._panes.active.setFocus()
            self.tool.take_hold(self._panes.active)

    def edit_text(self, identifier: str | None = None) -> None:
        """Type the text of a mark, of the selected one by default."""
        book = self._book
        mark = book.get(identifier or book.selected) if book is not None else None
        if book is None or mark is None:
            return
        self.jump(mark.id)
        viewport = self._viewport_of(mark, book)
        if viewport is not None:
            at = canvas.map_to_screen(viewport, canvas.get_points(mark))[0]
            TextEntry(viewport, at, mark.text, partial(self._set_text, book, mark))

    def jump(self, identifier: str) -> None:
        """Select a mark and go to where it is, on its own series."""
        book = self._book
        mark = book.get(identifier) if book is not None else None
        if book is None or mark is None:
            return
        book.select(mark.id)
        place = _find(book.study, mark)
        if place is not None and mark.volume != book.key_of(self._panes.first.volume):
            self._target = mark
            self.series_wanted.emit(*place)
        elif place is not None:
            self._go_to(mark, book)

    def _go_to(self, mark: Annotation, book: StudyAnnotations) -> None:
        """Show the plane of a mark, with a layout that has it."""
        middle = canvas.get_points(mark).mean(axis=0)
        self._panes.link.place(self._panes.first, middle)
        for layout in (PLANES, STRAIGHT):
            if self._viewport_of(mark, book) is None:
                self.layout_wanted.emit(layout)
                self._panes.link.place(self._panes.first, middle)

    def _viewport_of(self, mark: Annotation, book: StudyAnnotations) -> Viewport | None:
        """A viewport that shows a mark, the active one first."""
        viewports = [self._panes.active, *self._panes.viewports()]
        seen = (v for v in viewports if v.isVisible() and mark in canvas.list_shown(v, book))
        return next(seen, None)

    def arrive(self) -> None:
        """A volume is loaded: go to the mark that it was wanted for."""
        mark, self._target = self._target, None
        shown = self._book.key_of(self._panes.first.volume) if self._book is not None else None
        if mark is not None and mark.volume == shown:
            self.jump(mark.id)

    def step(self, step: int) -> None:
        """Go to the next mark of the list."""
        marks = self._book.marks() if self._book is not None else []
        if self._book is not None and marks:
            ids = [mark.id for mark in marks]
            selected = self._book.selected
            at = ids.index(selected) + step if selected in ids else min(step, 0)
            self.jump(ids[at % len(ids)])

    def copy_text(self) -> None:
        """All marks of the study, as a table that spreadsheets read."""
        if self._book is not None:
            QGuiApplication.clipboard().setText(clipboard.tabulate_annotations(self._book))
            self.exported.emit(self._book.study, "marks as text")

    def copy_picture(self) -> None:
        """The viewport that the reader works in, as it is seen."""
        QGuiApplication.clipboard().setImage(clipboard.grab_viewport(self._panes.active))
        book = self._book_of(self._panes.active)
        if book is not None:
            self.exported.emit(book.study, "view as picture")

    # On the viewports

    def _equip(self, viewport: Viewport) -> None:
        viewport.installEventFilter(self.tool)
        viewport.marks = partial(self.tool.draw, viewport=viewport)

    def _book_of(self, viewport: Viewport) -> StudyAnnotations | None:
        """Of the study that the viewport shows, which may be a prior."""
        books = [self._book, *self._books.values()]
        return next((b for b in books if b and b.key_of(viewport.state.volume)), None)

    def _show(self) -> None:
        book = self._book
        volumes = {} if book is None else _volumes(book.study)
        self.panel.show_book(book, volumes)
        for viewport in self._panes.viewports():
            viewport.update()

    def _show_moved(self, before: Annotation, mark: Annotation) -> None:
        self.panel.show_moved(mark)
        for viewport in self._panes.viewports():
            book = self._book_of(viewport) if viewport.isVisible() else None
            if book is not None and canvas.shows_annotation(viewport, book, before, mark):
                viewport.update()

    def _ask_text(self, mark: Annotation, viewport: Viewport) -> None:
        book = self._book_of(viewport)
        at: QPointF = canvas.map_to_screen(viewport, canvas.get_points(mark))[0]
        if book is not None:
            TextEntry(viewport, at, "", partial(_add_text, book, mark))

    def _set_text(self, book: StudyAnnotations, mark: Annotation, text: str) -> None:
        if text or mark.type != AnnotationKind.TEXT:
            book.change(replace(mark, text=text), tr("change text"))


def _add_text(book: StudyAnnotations, mark: Annotation, text: str) -> None:
    if text:
        book.add(replace(mark, text=text), tr("write text"))


def _volumes(study: Study) -> dict[str, tuple[Series, int]]:
    """Series and index of each volume of a study."""
    return {
        volume_key(series, source): (series, at)
        for series in study.series
        for at, source in enumerate(series.volumes)
    }


def _find(study: Study, mark: Annotation) -> tuple[Series, int] | None:
    return _volumes(study).get(mark.volume)
