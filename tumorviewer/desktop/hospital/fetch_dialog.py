"""Find a study in an archive, fetch it and open it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLineEdit, QVBoxLayout, QWidget

from tumorviewer.desktop.hospital.archives_controller import ArchivesController
from tumorviewer.desktop.hospital.fetch_controller import FetchController, find_folders
from tumorviewer.desktop.hospital.row_table import RowTable
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import ComboBox, ProgressRow, make_button, make_label
from tumorviewer.desktop.widgets.pages import make_facts, make_row
from tumorviewer.errors import InputError
from tumorviewer.language import date as written_date
from tumorviewer.language import tr, trn

if TYPE_CHECKING:
    from tumorviewer.pacs.addresses import ArchiveAddress
    from tumorviewer.pacs.archive import Fetched, StudyMatch, StudyQuery


class FetchDialog(QDialog):
    """Asks the archive only when told to; closes once the study has come whole.

    Parameters
    ----------
    controller
        Asks the archives.
    archives
        Says which there are.
    """

    arrived = Signal(list)
    """The folders of what came, to be opened."""
    archives_wanted = Signal()

    def __init__(
        self, parent: QWidget, controller: FetchController, archives: ArchivesController
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._matches: list[StudyMatch] = []
        self.setWindowTitle(tr("Fetch from an archive"))
        self.archive = ComboBox()
        self.patient_id, self.accession = QLineEdit(), QLineEdit()
        self.earliest, self.latest = QLineEdit(), QLineEdit()
        headings = (tr("Date"), tr("Patient"), tr("Patient ID"), tr("Modalities"),
                    tr("Objects"), tr("Description"))  # fmt: skip
        self.table = RowTable(tr("Studies that were found"), headings)
        self.message = make_label("", "notice")
        self.progress = ProgressRow(tr("fetching the study"))
        self.search = make_button(tr("Search"), "primary")
        self.fetch = make_button(tr("Fetch and open"))
        self._known = make_button(tr("Archives…"), "link")
        self._lay_out()
        self._connect()
        archives.listed.connect(self._show_archives)
        self.resize(860, 620)
        self._show_archives([])
        archives.list_archives()

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        for field in (self.earliest, self.latest):
            field.setPlaceholderText(tr("YYYY-MM-DD"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(12)
        layout.addWidget(
            make_facts(
                (tr("Archive"), self.archive),
                (tr("Patient ID"), self.patient_id),
                (tr("Accession number"), self.accession),
                (tr("From date"), self.earliest),
                (tr("To date"), self.latest),
            )
        )
        layout.addLayout(make_row(self.search, self._known))
        layout.addWidget(self.message)
        layout.addWidget(self.table, 1)
        words = tr(
            "Names may be damaged in this list. Who the patient is, is taken from the images."
        )
        layout.addWidget(make_label(words, "small"))
        layout.addWidget(self.progress)
        layout.addLayout(make_row(self.fetch))
        layout.addWidget(buttons)
        self.message.hide()
        self.search.setDefault(True)
        for button in (self.fetch, self._known):
            button.setAutoDefault(False)

    def _connect(self) -> None:
        controller = self._controller
        controller.found.connect(self._show_found)
        controller.progressed.connect(self._show_progress)
        controller.fetched.connect(self._show_fetched)
        controller.failed.connect(self._show_problem)
        self._known.clicked.connect(self.archives_wanted)
        self.search.clicked.connect(self._search)
        self.fetch.clicked.connect(self._fetch)
        self.table.cellDoubleClicked.connect(lambda *_: self._fetch())
        self.progress.cancelled.connect(self._cancel)
        self.finished.connect(lambda _: controller.cancel())

    # What is shown

    def _show_archives(self, archives: list[ArchiveAddress]) -> None:
        chosen = self.archive.currentText()
        self.archive.clear()
        self.archive.addItems([one.name for one in archives])
        self.archive.setCurrentIndex(max(self.archive.findText(chosen), 0))
        self._rest()

    def _rest(self) -> None:
        """Nothing is being asked."""
        self.progress.hide()
        self.search.setEnabled(self.archive.count() > 0)
        self.fetch.setEnabled(bool(self._matches))

    def _show_found(self, matches: list[StudyMatch]) -> None:
        self._matches = matches
        self.table.show_rows([_row(match) for match in matches])
        self._rest()
        if matches:
            count = len(matches)
            self._say(trn("{count} study was found.", "{count} studies were found.", count))
            self.table.setFocus()
        else:
            self._say(
                tr(
                    "The archive says that it has no such study. Try the patient ID alone, another "
                    "spelling of it, or a wider range of dates."
                ),
                "warning",
            )

    def _show_progress(self, count: int) -> None:
        self.progress.show_progress(tr("Fetching: {count} objects so far", count=count))

    def _show_fetched(self, fetched: Fetched) -> None:
        self._rest()
        if not fetched.files:
            words = tr("Nothing came. Ask whether the archive lets this computer fetch.")
            self._say(" ".join((words, *fetched.problems[:3])), "error")
            return
        self.arrived.emit(find_folders(fetched))
        if fetched.problems:
            told = " ".join(dict.fromkeys(fetched.problems))
            self._say(tr("Not everything came: {problems}", problems=told), "warning")
        else:
            self.accept()

    def _show_problem(self, error: InputError) -> None:
        self._rest()
        self._say(f"{error.source}: {error.message}", "error")

    def _say(self, words: str, role: str = "notice") -> None:
        theme.set_role(self.message, role)
        self.message.setText(words)
        self.message.show()

    # What is asked for

    def _search(self) -> None:
        try:
            query = self._query()
        except InputError as error:
            self._say(error.message, "error")
            return
        self._show_busy(tr("Searching {name}…", name=self.archive.currentText()))
        self._controller.find(self.archive.currentText(), query)

    def _fetch(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self._matches):
            self._show_busy(tr("Fetching…"))
            self._controller.fetch(self.archive.currentText(), self._matches[row].study_uid)

    def _show_busy(self, words: str) -> None:
        self.message.hide()
        self.search.setEnabled(False)
        self.fetch.setEnabled(False)
        self.progress.show_progress(words)

    def _cancel(self) -> None:
        self._controller.cancel()
        self._rest()
        self._say(tr("Cancelled."))

    def _query(self) -> StudyQuery:
        from tumorviewer.pacs.archive import StudyQuery

        return StudyQuery(
            self.patient_id.text().strip(),
            self.accession.text().strip(),
            _range(self.earliest.text().strip(), self.latest.text().strip()),
        )


def _range(earliest: str, latest: str) -> str:
    """Dates as DICOM matches them (PS3.4 C.2.2.2.5.1)."""
    first, last = _dicom_date(earliest), _dicom_date(latest)
    return first if first == last else f"{first}-{last}"


def _dicom_date(written: str) -> str:
    try:
        return date.fromisoformat(written).strftime("%Y%m%d") if written else ""
    except ValueError as error:
        raise InputError("", tr("A date is written as YYYY-MM-DD.")) from error


def _row(match: StudyMatch) -> tuple[str, ...]:
    day = match.date
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else day
    count = "" if match.instances is None else str(match.instances)
    name = " ".join(match.patient_name.replace("^", " ").split())
    return (
        written_date(iso), name, match.patient_id, match.modalities, count, match.description,
    )  # fmt: skip
