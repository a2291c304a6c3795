"""Below the assessment: the answer in words, the scan beside the training data, similar cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding, SimilarCases
from tumorviewer.analysis.trust.map_verdict import MapCheck
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_button, make_heading, make_label
from tumorviewer.desktop.widgets.pages import Sentences
from tumorviewer.export.wording import explain_finding
from tumorviewer.language import number, tr
from tumorviewer.study.types import Volume

SIDE = 56
"""Side of a case's picture, pixels."""


class EvidencePanel(QWidget):
    """What an answer rests on."""

    similar_wanted = Signal()
    folder_wanted = Signal()
    card_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Evidence"))
        self._labels: Mapping[str, str] = {}
        self.text = make_label()
        self.text.setAccessibleName(tr("The answer in words"))
        copy = make_button(tr("Copy"), "chip", tr("Copy the answer in words"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text.text()))
        self.cohort = Sentences("small")
        self._cohort_heading = make_heading(tr("This scan and the training data"))
        self.similar = SimilarList()
        self.ask = make_button(tr("Show the most similar training cases"), "chip")
        self.ask.clicked.connect(self.similar_wanted)
        self.folder = make_button(tr("Where their pictures are…"), "chip")
        self.folder.setToolTip(tr("Name the folder of this computer that holds the training data."))
        self.folder.clicked.connect(self.folder_wanted)
        self.note = make_label("", "small")
        card = make_button(tr("About this model…"), "chip")
        card.clicked.connect(self.card_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in (
            _row(make_heading(tr("In words")), copy),
            self.text,
            self._cohort_heading,
            self.cohort,
            make_heading(tr("Most similar training cases")),
            self.ask,
            self.note,
            self.similar,
            self.folder,
            card,
        ):
            column.addWidget(part, 0, _alignment(part))
        self.clear_similar()

    def show_finding(
        self, finding: Finding, volume: Volume | None, check: MapCheck | None = None
    ) -> None:
        """Say an answer in words, and of its map what the check found."""
        self._labels = finding.labels
        self.text.setText(explain_finding(finding, volume, check))
        self.ask.setVisible(finding.similar is not None)
        if finding.similar is None:
            self.clear_similar()
            self.say(tr("This model carries no index of its training cases."))

    def show_cohort(self, sentences: Sequence[str]) -> None:
        """Say how the scan compares with the training data."""
        self.cohort.show_texts(sentences)
        self._cohort_heading.setVisible(bool(sentences))

    def show_similar(self, found: SimilarCases) -> None:
        """List them; their pictures come later, if at all."""
        self.similar.show_cases(found, self._labels)
        self.say(tr("Like slice {n}, each of another patient or group:", n=found.slice + 1))

    def clear_similar(self) -> None:
        """Show none: nobody asked, or about another slice."""
        self.similar.hide()
        self.folder.hide()
        self.say("")

    def say(self, text: str, *, offers_folder: bool = False) -> None:
        """Say something above the list."""
        self.note.setText(text)
        self.note.setVisible(bool(text))
        self.folder.setVisible(offers_folder)


class SimilarList(QListWidget):
    """Training cases with their class, similarity and data set."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Most similar training cases"))
        self.setIconSize(QSize(SIDE, SIDE))
        self.setWordWrap(True)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_cases(self, found: SimilarCases, labels: Mapping[str, str]) -> None:
        self.clear()
        for case in found.cases:
            name = tr(labels.get(case.label, case.label))
            said = tr("similarity {value}", value=number(case.similarity, ".2f"))
            item = QListWidgetItem(make_blank_icon(SIDE), f"{name}, {said}\n{case.source}")
            item.setToolTip(case.source)
            item.setSizeHint(QSize(0, SIDE + 8))
            self.addItem(item)
        self.setFixedHeight(max(1, self.count()) * (SIDE + 8) + 2 * self.frameWidth() + 2)
        self.show()

    def show_picture(self, at: int, picture: NDArray[np.uint8]) -> None:
        """The picture of one of the cases, ``(H, W)`` grey or ``(H, W, 3)`` RGB."""
        if (item := self.item(at)) is not None:
            item.setIcon(QIcon(make_pixmap(picture, SIDE)))


def make_pixmap(picture: NDArray[np.uint8], side: int) -> QPixmap:
    """A picture for a list, its longer side `side` pixels."""
    whole = np.ascontiguousarray(picture)
    grey = whole.ndim == 2
    form = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    rows, columns = whole.shape[:2]
    image = QImage(whole.data, columns, rows, columns * (1 if grey else 3), form).copy()
    ratio = theme.get_application().devicePixelRatio()
    scaled = QPixmap.fromImage(image).scaled(
        QSize(side, side) * ratio,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    scaled.setDevicePixelRatio(ratio)
    return scaled


def make_blank_icon(side: int) -> QIcon:
    """Where a picture is not, or not yet."""
    made = QPixmap(side, side)
    made.fill(theme.current_colours().raised)
    return QIcon(made)


def _row(*parts: QWidget) -> QWidget:
    made = QWidget()
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(parts[0], 1)
    for part in parts[1:]:
        layout.addWidget(part)
    return made


def _alignment(part: QWidget) -> Qt.AlignmentFlag:
    is_button = part.property("role") == "chip"
    return Qt.AlignmentFlag.AlignLeft if is_button else Qt.AlignmentFlag(0)
