"""The model's card in the window: sections, the confusion matrix, the worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QListView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.assessment import card_words
from tumorviewer.desktop.assessment.card_words import CardSection
from tumorviewer.desktop.assessment.data_folder import DataFolder, read_picture
from tumorviewer.desktop.assessment.evidence_panel import make_blank_icon, make_pixmap
from tumorviewer.desktop.assessment.reliability import ReliabilityDiagram
from tumorviewer.desktop.services.jobs import BackgroundJob, JobQueue
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_label
from tumorviewer.desktop.widgets.pages import Page, TextTable
from tumorviewer.language import number, percent, tr
from tumorviewer.models import ModelCard, bundle
from tumorviewer.models.trust_measures import ConfidentMistake

_SIDE = 112
_SCROLL = 60
Pictures = dict[int, NDArray[np.uint8]]


class CardDialog(QDialog):
    """All that is known of a model.

    Parameters
    ----------
    model
        The bundle's folder.
    data_folder
        Where this computer has the training data; empty if nobody named it.
    """

    def __init__(self, parent: QWidget, model: Path, data_folder: str) -> None:
        super().__init__(parent)
        card = bundle.read_card(model)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("About the model {name}", name=card.name))
        self.resize(880, 720)
        self.page = CardPage(card)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 12)
        layout.addWidget(self.page, 1)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 0, 16, 0)
        foot.addWidget(buttons)
        layout.addLayout(foot)
        self._jobs = JobQueue(parent=self)
        mistakes = card.trust.mistakes if card.trust else ()
        if mistakes:
            work = partial(_pictures, model, data_folder, mistakes)
            self._jobs.start(work, self.page.show_pictures, lambda _: None)
        self.finished.connect(lambda _: self._jobs.close())


class CardPage(Page):
    """The card, to be scrolled by wheel and keys."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__(tr("Card of {name}", name=card.title))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._mistakes: MistakeList | None = None
        self._missing = make_label("", "small")
        self._missing.hide()
        name = tr("{name} {version}", name=card.name, version=card.version)
        self.add(make_label(card.title, "title"), make_label(name, "secondary"))
        if card.summary:
            self.add(make_label(card.summary))
        for section in card_words.describe_card(card):
            self._add_section(card, section)
        self.end()

    def show_pictures(self, pictures: Pictures) -> None:
        """Show pictures of the mistakes, by their place in the list."""
        if self._mistakes is None:
            return
        self._mistakes.show_pictures(pictures)
        if len(pictures) < self._mistakes.count():
            self._missing.setText(
                tr("Pictures that are not here are not shipped with the model; name the folder of "
                   "the training data in Settings to see them.")
            )  # fmt: skip
            self._missing.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        steps = {
            Qt.Key.Key_Down: _SCROLL, Qt.Key.Key_Up: -_SCROLL,
            Qt.Key.Key_PageDown: bar.pageStep(), Qt.Key.Key_PageUp: -bar.pageStep(),
            Qt.Key.Key_Home: -bar.maximum(), Qt.Key.Key_End: bar.maximum(),
        }  # fmt: skip
        if (step := steps.get(Qt.Key(event.key()))) is None:
            super().keyPressEvent(event)
        else:
            bar.setValue(bar.value() + step)

    def _add_section(self, card: ModelCard, section: CardSection) -> None:
        self.add(make_label(section.title, "subtitle"))
        self.add(*(make_label(sentence) for sentence in section.sentences))
        if section.table is not None and section.table.rows:
            table = TextTable(section.table.name)
            table.show_rows(section.table.headings, section.table.rows)
            self.add(table)
        self._add_picture(card, section.key)

    def _add_picture(self, card: ModelCard, key: str) -> None:
        trust = card.trust
        if key == "classes" and (found := card_words.tabulate_confusion(card)) is not None:
            self.add(make_label(tr("Rows: what it was. Columns: what the model said."), "small"))
            self.add(ConfusionMatrix(*found))
        elif key == "probability" and trust is not None and trust.calibration is not None:
            diagram = ReliabilityDiagram()
            diagram.setMaximumWidth(560)
            diagram.show_calibration(trust.calibration)
            self.add(diagram)
        elif key == "mistakes" and trust is not None and trust.mistakes:
            self._mistakes = MistakeList(card, trust.mistakes)
            self.add(self._mistakes, self._missing)


class MistakeList(QListWidget):
    """Wrong answers with what was right, and their pictures where there are any."""

    def __init__(self, card: ModelCard, mistakes: Sequence[ConfidentMistake]) -> None:
        super().__init__()
        self.setAccessibleName(tr("Its worst mistakes"))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setGridSize(QSize(_SIDE + 88, _SIDE + 72))
        self.setWordWrap(True)
        self.setTabKeyNavigation(False)
        for one in mistakes:
            was, said = (card_words.display_name(card, name) for name in (one.label, one.predicted))
            text = tr(
                "{said} ({share}); it was {was}",
                said=said, share=percent(one.probability, 1), was=was,
            )  # fmt: skip
            self.addItem(QListWidgetItem(make_blank_icon(_SIDE), text))
            self.item(self.count() - 1).setToolTip(one.source)
        self.setMinimumHeight((_SIDE + 76) * (1 + (len(mistakes) - 1) // 4))

    def show_pictures(self, pictures: Pictures) -> None:
        for at, one in pictures.items():
            self.item(at).setIcon(make_pixmap(one, _SIDE))


class ConfusionMatrix(QWidget):
    """How often each class was taken for each: the diagonal is right.

    Parameters
    ----------
    classes
        As a reader sees them.
    matrix
        Rows: what it was; columns: what the model said.
    """

    def __init__(self, classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self._classes, self._matrix = classes, matrix
        self.setAccessibleName(tr("Confusion matrix"))
        self.setAccessibleDescription("; ".join(self._spoken()))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(720, (len(self._classes) + 1) * self._step())

    def _step(self) -> int:
        return 2 * self.fontMetrics().height()

    def _spoken(self) -> list[str]:
        return [
            tr("{n} {was} called {said}", n=n, was=was, said=said)
            for was, row in zip(self._classes, self._matrix, strict=True)
            for said, n in zip(self._classes, row, strict=True)
            if n
        ]

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours, step = theme.current_colours(), self._step()
        width = min(self.width(), 720) / (len(self._classes) + 1)
        painter.setPen(QColor(colours.secondary))
        for at, name in enumerate(self._classes):
            _write(painter, QRectF(width * (at + 1), 0, width, step), name, centred=True)
            _write(painter, QRectF(0, step * (at + 1), width, step), name, centred=False)
        for row, counts in enumerate(self._matrix):
            for column, n in enumerate(counts):
                cell = QRectF(width * (column + 1), step * (row + 1), width, step)
                self._paint_cell(painter, cell.adjusted(1, 1, -1, -1), n / max(sum(counts), 1), n,
                                 is_right=row == column)  # fmt: skip

    def _paint_cell(
        self, painter: QPainter, cell: QRectF, share: float, n: int, *, is_right: bool
    ) -> None:
        """The fuller the colour, the larger the share of the row."""
        colours = theme.current_colours()
        fill = QColor(colours.accent if is_right else colours.warning)
        fill.setAlphaF(0.08 + 0.42 * share if n else 0.0)
        painter.fillRect(cell, QColor(colours.raised))
        painter.fillRect(cell, fill)
        painter.setPen(QColor(colours.text if n else colours.secondary))
        _write(painter, cell, number(n, ","), centred=True)


def _write(painter: QPainter, cell: QRectF, text: str, *, centred: bool) -> None:
    side = Qt.AlignmentFlag.AlignHCenter if centred else Qt.AlignmentFlag.AlignLeft
    elided = painter.fontMetrics().elidedText(
        text, Qt.TextElideMode.ElideRight, int(cell.width()) - 4
    )
    painter.drawText(cell, side | Qt.AlignmentFlag.AlignVCenter, elided)


def _pictures(
    model: Path, folder: str, mistakes: Sequence[ConfidentMistake], job: BackgroundJob
) -> Pictures:
    shipped = bundle.read_trust_arrays(model).get("mistakes.pictures")
    if shipped is not None:
        return {at: one.astype(np.uint8) for at, one in enumerate(shipped)}
    if not folder:
        return {}
    paths = DataFolder(Path(folder)).find({one.digest for one in mistakes}, job.check)
    found: Pictures = {}
    for at, one in enumerate(mistakes):
        job.check()
        if one.digest in paths:
            found[at] = read_picture(paths[one.digest], one.slice)
    return found
