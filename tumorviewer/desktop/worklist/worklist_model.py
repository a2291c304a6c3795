"""The worklist as a table: what stands in each column, and what of it may be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor, QFont

from tumorviewer.desktop.assessment.answer import NONE_NAMED
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.bars import format_percent
from tumorviewer.desktop.widgets.controls import format_tip
from tumorviewer.language import date, later, number, tr
from tumorviewer.records import OnDisk, StudyState, WorklistEntry, WorklistOrder

_Index = QModelIndex | QPersistentModelIndex
STATE_WORDS = {
    StudyState.NEW: later("New"),
    StudyState.ANALYSED: later("Analysed"),
    StudyState.READ: later("Read"),
    StudyState.DISAGREES: later("Disagrees"),
    StudyState.SIGNED: later("Signed"),
}
_ON_DISK_WORDS = {
    OnDisk.THERE: "",
    OnDisk.CHANGED: later("Its files have changed since it was entered."),
    OnDisk.GONE: later("Its files have gone."),
}
_FILES = {
    OnDisk.THERE: "",
    OnDisk.CHANGED: later("files changed"),
    OnDisk.GONE: later("files gone"),
}
_NAMED = ("State", "Patient")
"""What catches the eye in a new study."""
HIDDEN = later("after your verdict")


class Column(NamedTuple):
    """A column of the worklist."""

    title: str
    width: int
    order: WorklistOrder | None
    """What a click on its heading sorts by."""
    text: Callable[[WorklistModel, WorklistEntry], str]
    is_number: bool = False
    is_wide: bool = False
    """It takes what room there is, and shares it with others that do."""


class WorklistModel(QAbstractTableModel):
    """The studies that were found, a row each."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: Sequence[WorklistEntry] = ()
        self.labels: Mapping[str, str] = {}
        """Classes in words."""
        self.hides_patient = False
        self.hides_answers = False
        """Whether the model's answer is kept back until there is a verdict."""

    def show_entries(self, entries: Sequence[WorklistEntry]) -> None:
        """Show these studies, in this order."""
        self.beginResetModel()
        self.entries = entries
        self.endResetModel()

    def redraw(self) -> None:
        """What may be seen, or how it is called, has changed."""
        last = self.index(len(self.entries) - 1, len(COLUMNS) - 1)
        self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        return 0 if parent.isValid() else len(self.entries)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - as Qt declares it
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return tr(COLUMNS[section].title)
        return None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry, column = self.entries[index.row()], COLUMNS[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return column.text(self, entry)
            case Qt.ItemDataRole.ToolTipRole:
                return format_tip(self._tip(entry, column))
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{tr(column.title)}: {column.text(self, entry) or tr('none')}"
            case Qt.ItemDataRole.TextAlignmentRole if column.is_number:
                return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            case Qt.ItemDataRole.ForegroundRole:
                return _colour(entry, column, self.sees_answer(entry))
            case Qt.ItemDataRole.FontRole if (
                entry.state is StudyState.NEW and column.title in _NAMED
            ):
                return _semibold()
        return None

    def sees_answer(self, entry: WorklistEntry) -> bool:
        """Whether the reader may see what the model says of a study."""
        return not self.hides_answers or entry.verdict_class is not None

    def label(self, name: str | None) -> str:
        """A class in words."""
        return "" if name is None else tr(self.labels.get(name, name.capitalize()))

    def _tip(self, entry: WorklistEntry, column: Column) -> str:
        return "\n".join(
            filter(
                None, (column.text(self, entry), tr(_ON_DISK_WORDS[entry.on_disk]), entry.refused)
            )
        )


def describe_state(entry: WorklistEntry) -> str:
    """How far a study has come; a signed verdict that differs says so too."""
    differs = entry.state is StudyState.SIGNED and entry.disagrees
    words = (STATE_WORDS[entry.state], later("disagrees") if differs else "", _FILES[entry.on_disk])
    return " · ".join(map(tr, filter(None, words)))


def describe_patient_entry(entry: WorklistEntry, hide: bool) -> str:
    """Whose study it is, as far as may be seen."""
    if hide:
        return tr("Patient {pseudonym}", pseudonym=entry.pseudonym[:6])
    return entry.patient_name or entry.patient_id or tr("Not named")


def _state(_model: WorklistModel, entry: WorklistEntry) -> str:
    return describe_state(entry)


def _patient(model: WorklistModel, entry: WorklistEntry) -> str:
    return describe_patient_entry(entry, model.hides_patient)


def _study(model: WorklistModel, entry: WorklistEntry) -> str:
    title = "" if model.hides_patient else entry.title
    return " · ".join(filter(None, (entry.description or title, entry.modality)))


def _date(_model: WorklistModel, entry: WorklistEntry) -> str:
    return date(entry.date)


def _answer(model: WorklistModel, entry: WorklistEntry) -> str:
    if entry.predicted_class is None and entry.refused:
        return tr("Not analysed")
    if entry.predicted_class is not None and entry.doubt == 1 and model.sees_answer(entry):
        return tr(NONE_NAMED)
    if entry.predicted_class is None or model.sees_answer(entry):
        return model.label(entry.predicted_class)
    return tr(HIDDEN)


def _tumour(model: WorklistModel, entry: WorklistEntry) -> str:
    return (
        "" if entry.tumour is None or not model.sees_answer(entry) else format_percent(entry.tumour)
    )


def _doubt(model: WorklistModel, entry: WorklistEntry) -> str:
    return "" if entry.doubt is None or not model.sees_answer(entry) else number(100 * entry.doubt)


def _verdict(model: WorklistModel, entry: WorklistEntry) -> str:
    return model.label(entry.verdict_class)


COLUMNS = (
    Column(later("State"), 150, WorklistOrder.PRIORITY, _state),
    Column(later("Patient"), 190, WorklistOrder.PATIENT, _patient, is_wide=True),
    Column(later("Study"), 230, None, _study, is_wide=True),
    Column(later("Date"), 100, WorklistOrder.NEWEST, _date),
    Column(later("Model"), 140, None, _answer),
    Column(later("Tumour"), 84, WorklistOrder.TUMOUR, _tumour, is_number=True),
    Column(later("Doubt"), 72, WorklistOrder.DOUBT, _doubt, is_number=True),
    Column(later("Verdict"), 140, None, _verdict),
)


def _colour(entry: WorklistEntry, column: Column, sees_answer: bool) -> QColor | None:
    colours = theme.current_colours()
    if entry.on_disk is OnDisk.GONE:
        return QColor(colours.disabled)
    if column.title in ("State", "Verdict") and entry.disagrees and sees_answer:
        return QColor(colours.warning)
    if column.title == "Model" and entry.refused and entry.predicted_class is None:
        return QColor(colours.warning)
    if column.title == "Model" and not sees_answer:
        return QColor(colours.secondary)
    return None


def _semibold() -> QFont:
    font = QFont()
    font.setWeight(QFont.Weight.DemiBold)
    return font
