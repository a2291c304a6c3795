"""The studies that are open and their series, with a small picture of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QPainter,
    QPixmap,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
)

from tumorviewer.desktop.services.cases import group_cases, name_case
from tumorviewer.desktop.services.library import Library
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import format_tip
from tumorviewer.language import date, tr, trn
from tumorviewer.study.types import Series, Study

_Index = QModelIndex | QPersistentModelIndex
_SERIES = Qt.ItemDataRole.UserRole
_TITLE = Qt.ItemDataRole.UserRole + 1
_DETAIL = Qt.ItemDataRole.UserRole + 2
_THUMBNAIL = Qt.ItemDataRole.UserRole + 3
_PICTURE = 56
_GAP = 8


class StudyList(QTreeView):
    """Study ▸ series; choosing a series is all that it does."""

    chosen = Signal(Series)
    """A :class:`Series`."""

    def __init__(self) -> None:
        super().__init__()
        self._library = Library()
        self._hides_patient = False
        self._thumbnails: dict[int, QPixmap] = {}
        self._items: dict[int, QStandardItem] = {}
        self._model = QStandardItemModel(self)
        self.setModel(self._model)
        self.setItemDelegate(RowDelegate(self))
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setItemsExpandable(False)
        self.setUniformRowHeights(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(tr("Studies and series"))
        self.selectionModel().currentChanged.connect(self._current_changed)

    def show_library(self, library: Library) -> None:
        """List what is open; the series that was current stays so."""
        self._library = library
        current = self.current()
        known = {id(series) for series in library.series()}
        self._thumbnails = {key: each for key, each in self._thumbnails.items() if key in known}
        self._items.clear()
        self.selectionModel().blockSignals(True)
        self._model.clear()
        self._model.setHorizontalHeaderLabels([tr("Studies and series")])
        for item in self._headings(library.studies):
            self._model.appendRow(item)
        self.expandAll()
        self.selectionModel().blockSignals(False)
        if current is not None and id(current) in known:
            self.select(current)

    def current(self) -> Series | None:
        """The series that is chosen."""
        series = self.currentIndex().data(_SERIES)
        return series if isinstance(series, Series) else None

    def select(self, series: Series) -> None:
        """Make a series the current one, without saying that it was chosen."""
        index = self._items[id(series)].index()
        self.selectionModel().blockSignals(True)
        self.selectionModel().setCurrentIndex(
            index, QItemSelectionModel.SelectionFlag.ClearAndSelect
        )
        self.selectionModel().blockSignals(False)
        self.scrollTo(index)
        self.viewport().update()

    def set_thumbnail(self, series: Series, picture: NDArray[np.uint8]) -> None:
        """Show a grey ``(H, W)`` or RGB ``(H, W, 3)`` picture beside a series."""
        self._thumbnails[id(series)] = _pixmap(picture)
        if (item := self._items.get(id(series))) is not None:
            item.setData(self._thumbnails[id(series)], _THUMBNAIL)

    def hide_patient(self, hide: bool) -> None:
        """Show or hide names, identifiers, dates and file names."""
        self._hides_patient = hide
        self.show_library(self._library)

    def _headings(self, studies: list[Study]) -> list[QStandardItem]:
        """An item for each study; the files of a case are one."""
        headings: list[QStandardItem] = []
        for number, case in enumerate(group_cases(studies), 1):
            heading = _item(*describe_study(case, number, self._hides_patient))
            heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
            headings.append(heading)
            for series in (series for study in case for series in study.series):
                heading.appendRow(self._series_item(series, heading.rowCount() + 1))
        return headings

    def _series_item(self, series: Series, number: int) -> QStandardItem:
        hide = self._hides_patient and series.uid is None
        detail = describe_series_size(series)
        if self._library.is_gone(series):
            detail += " · " + tr("gone")
        item = _item(tr("File {n}", n=number) if hide else series.title, detail)
        item.setData(series, _SERIES)
        item.setData(self._thumbnails.get(id(series)), _THUMBNAIL)
        self._items[id(series)] = item
        return item

    def _current_changed(self, index: QModelIndex) -> None:
        series = index.data(_SERIES)
        if isinstance(series, Series):
            self.chosen.emit(series)


class RowDelegate(QStyledItemDelegate):
    """Draws a study as a heading and a series as a picture with two lines beside it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        if index.data(_SERIES) is None:
            lines = 2 if index.data(_DETAIL) else 1
            return QSize(0, 2 * _GAP + 4 + lines * (option.fontMetrics.height() + 2))
        return QSize(0, _PICTURE + 2 * _GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        painter.save()
        painter.setClipRect(option.rect)
        if index.data(_SERIES) is None:
            self._paint_study(painter, option, index)
        else:
            self._paint_series(painter, option, index)
        painter.restore()

    def _paint_study(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect
        _write(painter, rect.adjusted(12, _GAP + 2, -_GAP, -2), index, bold=True)

    def _paint_series(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        colours = theme.current_colours()
        rect: QRect = option.rect
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(colours.accent_soft))
            painter.fillRect(rect.x(), rect.y(), 3, rect.height(), QColor(colours.accent))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(colours.hover))
        frame = QRect(rect.x() + 12, rect.y() + _GAP, _PICTURE, _PICTURE)
        painter.fillRect(frame, Qt.GlobalColor.black)
        picture = index.data(_THUMBNAIL)
        if isinstance(picture, QPixmap):
            target = QRect(frame)
            target.setSize(picture.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio))
            target.moveCenter(frame.center())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawPixmap(target, picture)
        if state & QStyle.StateFlag.State_Selected and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(colours.accent))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        _write(painter, rect.adjusted(_PICTURE + 24, _GAP + 6, -_GAP, -_GAP), index)


def describe_study(case: list[Study], number: int, hide_patient: bool) -> tuple[str, str]:
    """The two lines that stand for a study, or for the files of a case."""
    study = case[0]
    if hide_patient:
        return tr("Study {n}", n=number), study.description
    if study.uid is None:
        return name_case(case), ""
    title = study.patient_name or study.title
    detail = (part for part in (date(study.date), study.description) if part and part not in title)
    return title, " · ".join(detail)


def describe_series_size(series: Series) -> str:
    """Kind and size of a series: ``MR · 155 slices · 2 volumes``."""
    slices = series.volumes[0].shape[0] if series.volumes else 0
    parts = [series.modality, trn("{count} slice", "{count} slices", slices)]
    if len(series.volumes) > 1:
        parts.append(tr("{n} volumes", n=len(series.volumes)))
    return " · ".join(filter(None, parts))


def _item(title: str, detail: str) -> QStandardItem:
    one_line = " ".join(title.split()) or tr("Untitled")
    item = QStandardItem()
    item.setEditable(False)
    item.setData(one_line, _TITLE)
    item.setData(detail, _DETAIL)
    spoken = ", ".join(filter(None, (one_line, detail)))
    item.setData(spoken, Qt.ItemDataRole.AccessibleTextRole)
    item.setToolTip(format_tip(f"{title}\n{detail}".strip()))
    return item


def _write(painter: QPainter, rect: QRect, index: _Index, bold: bool = False) -> None:
    colours = theme.current_colours()
    font = QFont(painter.font())
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    painter.setFont(font)
    line = painter.fontMetrics().height() + 2
    for colour, role in ((colours.text, _TITLE), (colours.secondary, _DETAIL)):
        painter.setPen(QColor(colour))
        text = painter.fontMetrics().elidedText(
            index.data(role), Qt.TextElideMode.ElideMiddle, rect.width()
        )
        painter.drawText(QRect(rect.x(), rect.y(), rect.width(), line), 0, text)
        rect.translate(0, line)
        font.setWeight(QFont.Weight.Normal)
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)


def _pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    data = np.ascontiguousarray(picture)
    rows, columns = data.shape[:2]
    kind = QImage.Format.Format_Grayscale8 if data.ndim == 2 else QImage.Format.Format_RGB888
    return QPixmap.fromImage(QImage(data.data, columns, rows, data.strides[0], kind))
