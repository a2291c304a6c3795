"""The list of annotations: what was measured, and the way to each."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QListWidget, QListWidgetItem, QVBoxLayout

from tumorviewer.desktop.annotations import descriptions
from tumorviewer.desktop.annotations.study_annotations import StudyAnnotations
from tumorviewer.desktop.widgets.controls import make_heading, make_label
from tumorviewer.language import later, tr
from tumorviewer.records import Annotation

_EMPTY = later("None yet. D measures a distance; the menu Marks has the others.")
_NO_BREAK = "\N{NO-BREAK SPACE}"
_ID = Qt.ItemDataRole.UserRole


class AnnotationPanel(QFrame):
    """Annotations of the shown study, in the order in which they were made."""

    jump_wanted = Signal(str)
    """The id of an annotation."""
    edit_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Marks"))
        self.list = AnnotationList()
        self.warning = make_label("", "warning")
        self.warning.setAccessibleName(tr("What to know of the measurement"))
        self.trouble = make_label("", "error")
        self.trouble.setAccessibleName(tr("Marks that are not kept"))
        self._hint = make_label(tr(_EMPTY), "secondary")
        self.list.currentItemChanged.connect(self._turned_to)
        self.list.itemActivated.connect(lambda item: self.jump_wanted.emit(item.data(_ID)))
        self.list.itemClicked.connect(lambda item: self.jump_wanted.emit(item.data(_ID)))
        self.list.edit_wanted.connect(self.edit_wanted)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(8)
        for part in (make_heading(tr("Marks")), self._hint, self.list, self.warning, self.trouble):
            layout.addWidget(part)
        self.show_trouble("")
        self.show_annotations(None, ())

    def show_trouble(self, text: str) -> None:
        """Say why annotations are not kept; nothing if they are."""
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))

    def show_annotations(
        self, annotations: StudyAnnotations | None, volumes: Collection[str]
    ) -> None:
        """List the annotations of a study whose volumes have these keys."""
        self.setVisible(annotations is not None)
        listed = [] if annotations is None else annotations.all()
        self.list.show_annotations(
            listed, volumes, None if annotations is None else annotations.selected
        )
        self._hint.setVisible(not listed)
        self.list.setVisible(bool(listed))
        self._warn_of(None if annotations is None else annotations.get(annotations.selected))

    def show_moved(self, annotation: Annotation) -> None:
        """Say anew what one of the annotations is, which are as many as before."""
        self.list.show_moved(annotation)
        self._warn_of(annotation)

    def _warn_of(self, annotation: Annotation | None) -> None:
        self.warning.setText(
            "\n".join(descriptions.list_warnings(annotation) if annotation else ())
        )
        self.warning.setVisible(bool(self.warning.text()))

    def _turned_to(self, item: QListWidgetItem | None) -> None:
        if item is not None and self.list.hasFocus():
            self.jump_wanted.emit(item.data(_ID))


class AnnotationList(QListWidget):
    edit_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("List of marks"))
        self.setWordWrap(True)
        self.setMaximumHeight(180)
        self.setProperty("role", "marks")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemDoubleClicked.connect(lambda item: self.edit_wanted.emit(item.data(_ID)))

    def sizeHint(self) -> QSize:
        rows = min(self.count(), 5)
        return QSize(200, sum(self.sizeHintForRow(at) for at in range(rows)) + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(100, min(60, self.sizeHint().height()))

    def show_annotations(
        self, listed: list[Annotation], volumes: Collection[str], selected: str | None
    ) -> None:
        """Fill the list anew where it has changed."""
        with QSignalBlocker(self):
            while self.count() > len(listed):
                self.takeItem(self.count() - 1)
            for at, annotation in enumerate(listed):
                item = self.item(at) or QListWidgetItem(self)
                text = _text(annotation, annotation.volume in volumes)
                if item.text() != text or item.data(_ID) != annotation.id:
                    item.setText(text)
                    item.setData(_ID, annotation.id)
                    item.setToolTip("")
            ids = [annotation.id for annotation in listed]
            self.setCurrentRow(ids.index(selected) if selected in ids else -1)
        self.updateGeometry()

    def show_moved(self, annotation: Annotation) -> None:
        """Fill the line of one annotation, which is of an open series, anew."""
        item = next(
            (one for one in map(self.item, range(self.count())) if one.data(_ID) == annotation.id),
            None,
        )
        if item is not None:
            item.setText(_text(annotation, is_here=True))


def _text(annotation: Annotation, is_here: bool) -> str:
    name = (
        f"{descriptions.name_annotation(annotation)}: {annotation.text}"
        if annotation.text
        else descriptions.name_annotation(annotation)
    )
    figures = [
        figure.replace(" ", _NO_BREAK) for figure in descriptions.format_measurements(annotation)
    ]
    gone = () if is_here else (tr("Its series is not open."),)
    return "\n".join(filter(None, (name, ", ".join(figures), *gone)))
