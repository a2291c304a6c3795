"""The worklist page: search, filters, the studies, and what to do where there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QMenu,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.widgets.controls import ComboBox, make_button, make_label
from tumorviewer.desktop.worklist.batch_bar import BatchBar
from tumorviewer.desktop.worklist.worklist_model import COLUMNS, STATE_WORDS, WorklistModel
from tumorviewer.language import later, tr
from tumorviewer.records import StudyState, WorklistEntry, WorklistOrder, WorklistQuery

_TYPING_MS = 120
_ORDER_WORDS = {
    WorklistOrder.NEWEST: later("Newest first"),
    WorklistOrder.PRIORITY: later("Highest priority first"),
    WorklistOrder.TUMOUR: later("Most probable tumour first"),
    WorklistOrder.DOUBT: later("Most doubtful first"),
    WorklistOrder.PATIENT: later("By patient"),
    WorklistOrder.ADDED: later("Last entered first"),
}
EMPTY = (
    later("The worklist is empty"),
    later(
        "Drop a folder of studies here: they are entered, and analysed in the background one after "
        "another. Studies that you open are entered by themselves."
    ),
)
NO_MATCH = (later("No study fits"), later("Other words or fewer filters may find it."))
LOADING = (later("Opening the worklist…"), "")


class WorklistPage(QFrame):
    """All studies that were ever opened here or dropped here."""

    query_changed = Signal(WorklistQuery)
    """The :class:`WorklistQuery` to answer with :meth:`show_entries`."""
    open_wanted = Signal(list)
    """Entries that were double clicked, or chosen and opened with Enter."""
    analysis_wanted = Signal(list)
    first_wanted = Signal(list)
    removal_wanted = Signal(list)
    training_wanted = Signal(list)
    folder_wanted = Signal()
    retry_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "panel")
        self.setAccessibleName(tr("Worklist"))
        self._action = ""
        self.model = WorklistModel(self)
        self.filters = WorklistFilters()
        self.filters.changed.connect(self._filters_changed)
        self.table = WorklistTable(self.model, self.filters.sort_by)
        self.table.activated.connect(lambda _: self.open_wanted.emit(self.chosen()))
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.message = EmptyPage()
        self.message.button.clicked.connect(self._act)
        self.notice = make_label("", "error")
        self._dismiss = make_button(tr("Dismiss"), "chip", tr("Dismiss the message"))
        self._dismiss.clicked.connect(lambda: self.show_notice(""))
        self._pages = QStackedWidget()
        self._pages.addWidget(self.message)
        self._pages.addWidget(self.table)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(12)
        column.addWidget(self.filters)
        column.addWidget(self.notice)
        column.addWidget(self._dismiss, 0, Qt.AlignmentFlag.AlignRight)
        column.addWidget(self._pages, 1)
        self.batch = BatchBar()
        column.addWidget(self.batch)
        self.show_notice("")
        self._say(LOADING)

    def show_entries(self, entries: Sequence[WorklistEntry]) -> None:
        """Show what was found; chosen studies stay chosen."""
        chosen = {entry.id for entry in self.chosen()}
        self.model.show_entries(entries)
        self.table.choose(row for row, entry in enumerate(entries) if entry.id in chosen)
        if entries:
            self._pages.setCurrentWidget(self.table)
        elif self.filters.query() == WorklistQuery(order=self.filters.query().order):
            self._say(EMPTY, later("Choose a folder…"))
        else:
            self._say(NO_MATCH, later("Show all"))

    def show_problem(self, text: str) -> None:
        """Say why there is no worklist."""
        self._say((later("The worklist cannot be used"), text), later("Try again"))

    def show_notice(self, text: str) -> None:
        """Say something above the list, or nothing."""
        self.notice.setText(text)
        self.notice.setVisible(bool(text))
        self._dismiss.setVisible(bool(text))

    def show_labels(self, labels: Mapping[str, str]) -> None:
        """Call the classes so, here and in the filter."""
        self.model.labels = labels
        self.filters.offer_classes(labels)
        self.model.redraw()

    def hide_patient(self, hide: bool) -> None:
        self.model.hides_patient = hide
        self.model.redraw()

    def hide_answers(self, hide: bool) -> None:
        """Keep the model's answers back where there is no verdict yet."""
        self.model.hides_answers = hide
        self.model.redraw()

    def chosen(self) -> list[WorklistEntry]:
        """The studies that are selected."""
        rows = self.table.selectionModel().selectedRows()
        return [self.model.entries[index.row()] for index in sorted(rows, key=lambda i: i.row())]

    def _filters_changed(self) -> None:
        self.query_changed.emit(self.filters.query())

    def _say(self, words: tuple[str, str], action: str = "") -> None:
        self._action = action
        self.message.show_words(tr(words[0]), tr(words[1]), tr(action))
        self._pages.setCurrentWidget(self.message)

    def _act(self) -> None:
        match self._action:
            case "Show all":
                self.filters.clear()
            case "Try again":
                self._say(LOADING)
                self.retry_wanted.emit()
            case _:
                self.folder_wanted.emit()

    def _show_menu(self, at: QPoint) -> None:
        if not self.chosen():
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, signal in (
            (tr("Open"), self.open_wanted),
            (tr("Analyse in the background"), self.analysis_wanted),
            (tr("Analyse before all others"), self.first_wanted),
            (tr("Send to training…"), self.training_wanted),
            (tr("Take off the worklist"), self.removal_wanted),
        ):
            menu.addAction(text).triggered.connect(
                lambda _=False, signal=signal: signal.emit(self.chosen())
            )
        menu.popup(self.table.viewport().mapToGlobal(at))


class WorklistTable(QTreeView):
    """Rows of the worklist; a click on a heading sorts."""

    def __init__(self, model: WorklistModel, sort_by: object) -> None:
        super().__init__()
        self._sort_by = sort_by
        self.setModel(model)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setAlternatingRowColors(True)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setProperty("role", "table")
        self.setAccessibleName(tr("Studies of the worklist"))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._heading_clicked)
        for at, column in enumerate(COLUMNS):
            header.resizeSection(at, column.width)
        for at, column in enumerate(COLUMNS):
            if column.is_wide:
                header.setSectionResizeMode(at, QHeaderView.ResizeMode.Stretch)

    def choose(self, rows: Iterable[int]) -> None:
        """Select some rows."""
        selection = self.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        for row in rows:
            index = self.model().index(row, 0)
            selection.select(index, flags.Select | flags.Rows)
            selection.setCurrentIndex(index, flags.NoUpdate)

    def _heading_clicked(self, section: int) -> None:
        if (order := COLUMNS[section].order) is not None:
            self._sort_by(order)  # type: ignore[operator]


class WorklistFilters(QWidget):
    """Words, state, class and order."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.words = QLineEdit()
        self.words.setPlaceholderText(tr("Search name, id, description, date or folder"))
        self.words.setClearButtonEnabled(True)
        self.words.setAccessibleName(tr("Search the worklist"))
        self.state = _choice(tr("State"), [(tr("All states"), None), *_swapped(STATE_WORDS)])
        self.classes = _choice(tr("Class"), [(tr("All classes"), None)])
        self.order = _choice(tr("Order"), _swapped(_ORDER_WORDS))
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(_TYPING_MS)
        self._typing.timeout.connect(self.changed)
        self.words.textChanged.connect(lambda _: self._typing.start())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.words, 1)
        for each in (self.state, self.classes, self.order):
            each.currentIndexChanged.connect(self.changed)
            row.addWidget(each)

    def query(self) -> WorklistQuery:
        """What is asked for."""
        state, chosen = self.state.currentData(), self.classes.currentData()
        return WorklistQuery(
            text=self.words.text(),
            states=() if state is None else (StudyState(state),),
            classes=() if chosen is None else (chosen,),
            order=WorklistOrder(self.order.currentData()),
        )

    def sort_by(self, order: WorklistOrder) -> None:
        self.order.setCurrentIndex(self.order.findData(order.value))

    def clear(self) -> None:
        """Ask for all."""
        self.words.clear()
        for each in (self.state, self.classes):
            each.setCurrentIndex(0)

    def offer_classes(self, labels: Mapping[str, str]) -> None:
        chosen = self.classes.currentData()
        self.classes.blockSignals(True)
        self.classes.clear()
        self.classes.addItem(tr("All classes"), None)
        for name, words in labels.items():
            self.classes.addItem(tr(words), name)
        self.classes.setCurrentIndex(max(0, self.classes.findData(chosen)))
        self.classes.blockSignals(False)


class EmptyPage(QWidget):
    """Two sentences and a button, in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self._title, self._text = make_label("", "subtitle"), make_label("", "secondary")
        self.button = make_button("", "primary")
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addStretch(1)
        for part in (self._title, self._text):
            part.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(part)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def show_words(self, title: str, text: str, action: str) -> None:
        self._title.setText(title)
        self._text.setText(text)
        self.button.setText(action)
        self.button.setAccessibleName(action)
        self.button.setVisible(bool(action))


def _choice(name: str, items: Iterable[tuple[str, object]]) -> ComboBox:
    made = ComboBox()
    made.setAccessibleName(name)
    for words, value in items:
        made.addItem(words, value)
    return made


def _swapped(
    words: Mapping[StudyState, str] | Mapping[WorklistOrder, str],
) -> list[tuple[str, object]]:
    return [(tr(text), each.value) for each, text in words.items()]
