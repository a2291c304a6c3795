"""Worklist, tabs, verdicts and records around the part of the window that shows a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from tumorviewer.desktop.assessment.verdict_panel import VerdictPanel
from tumorviewer.desktop.services.autosave import Autosave
from tumorviewer.desktop.services.batch_queue import BatchQueue
from tumorviewer.desktop.services.finding_recorder import FindingRecorder
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.reading_position import ReadingPosition
from tumorviewer.desktop.services.records_executor import RecordsExecutor
from tumorviewer.desktop.services.register import StudyRegister
from tumorviewer.desktop.services.verdict_controller import StudyRecord, VerdictController
from tumorviewer.desktop.shell.page_tabs import SiteTab, TrainingTab
from tumorviewer.desktop.shell.tabs import StudyTabs
from tumorviewer.desktop.worklist.priors import PriorList
from tumorviewer.desktop.worklist.reading_places import ReadingPlaces
from tumorviewer.desktop.worklist.refused_list import describe_refused
from tumorviewer.desktop.worklist.worklist_page import WorklistPage
from tumorviewer.errors import InputError
from tumorviewer.language import later, tr
from tumorviewer.models import bundle
from tumorviewer.records import WorklistEntry, WorklistQuery
from tumorviewer.study.types import Refused, Study

if TYPE_CHECKING:
    from tumorviewer.desktop.viewer.viewer import Viewer
    from tumorviewer.records import Records

WITHHELD = later("The model's answer is shown after your verdict.")


class ReadingRoom(QWidget):
    """The middle of the window.

    Parameters
    ----------
    study_page
        Shows a study.
    verdict
        Where the reader's verdict is written.
    """

    complained = Signal(str)
    """What could not be read or written while the worklist is not shown."""
    answer_wanted = Signal()
    """The model's answer may be shown now, or no longer."""

    def __init__(
        self, study_page: QWidget, reading: Reading, viewer: Viewer, verdict: VerdictPanel
    ) -> None:
        super().__init__()
        self._reading, self._viewer, self._verdict = reading, viewer, verdict
        self._study_page = study_page
        self._returning: set[tuple[Path, ...]] = set()
        self._to_come: list[str] = []
        self.executor = RecordsExecutor(parent=self)
        self.register = StudyRegister(self.executor, self)
        self.places = ReadingPlaces(reading, self.register, viewer, self)
        self.verdicts = VerdictController(self.executor, self)
        self.answers = FindingRecorder(self.executor, reading, self.register, self)
        self.batch = BatchQueue(self.executor, reading.inference, self)
        self.autosave = Autosave(self.executor, self.document, self)
        self.tabs = StudyTabs()
        self.worklist = WorklistPage()
        self.priors = PriorList()
        self.priors.open_wanted.connect(self.open_entries)
        self._pages = QStackedWidget()
        for page in (study_page, self.worklist):
            self._pages.addWidget(page)
        self.training = TrainingTab(self.executor, self._pages, self.tabs, self)
        self.site = SiteTab(self.executor, self._pages, self.tabs, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.tabs)
        layout.addWidget(self._pages, 1)
        self.tabs.hide()
        self._connect_records()
        self._connect_tabs()

    def start(self) -> None:
        """Open the records; nothing waits for it."""
        self.executor.start()
        self.autosave.start()
        self.ask_labels()
        self.batch.start()
        self.training.start()
        self.list_again()

    def ask_labels(self) -> None:
        """Call the classes as the model in use does."""
        self.executor.ask(
            lambda _: _labels(self._reading.inference.find_model),
            self._show_labels,
            lambda _: None,
        )

    def close_records(self) -> bool:
        """Keep everything and close; False if that takes too long."""
        self.verdicts.save_draft()
        self.autosave.end()
        return self.training.close() & self.batch.close() & self.executor.close()

    # Pages

    @property
    def shows_worklist(self) -> bool:
        return self._pages.currentWidget() is self.worklist

    def show_worklist(self) -> None:
        """Turn to the worklist."""
        self.tabs.show()
        self.tabs.show_current(None)
        self._pages.setCurrentWidget(self.worklist)
        self.worklist.table.setFocus()
        self.autosave.touch()

    def show_study(self) -> None:
        """Turn to what is shown of a study."""
        self._pages.setCurrentWidget(self._study_page)
        shown = self._reading.shown
        self.tabs.show_current(shown.study if shown else None)
        self.autosave.touch()

    def send_to_training(self) -> None:
        """Offer the studies that are chosen on the worklist, or all that are read."""
        self.training.send(self.worklist.chosen() if self.shows_worklist else [])

    def hide_patient(self, hide: bool) -> None:
        self.tabs.hide_patient(hide)
        self.worklist.hide_patient(hide)
        self._verdict.hide_patient(hide)

    def name_reader(self, reader: str) -> None:
        """Who gives verdicts and signs them."""
        self.verdicts.reader = reader
        self._verdict.name_reader(reader)

    def ask_first(self, first: bool) -> None:
        """Whether the verdict is asked for before the model's answer is shown."""
        self.verdicts.asks_first = first
        self.worklist.hide_answers(first)
        self._case_changed(self.verdicts.case)

    def list_again(self, query: WorklistQuery | None = None) -> None:
        """Ask for the worklist again."""
        wanted = query or self.worklist.filters.query()
        self.executor.ask(
            lambda records: records.worklist.find(wanted), partial(self._found, wanted)
        )

    def _found(self, query: WorklistQuery, entries: list[WorklistEntry]) -> None:
        if query != self.worklist.filters.query():
            return
        self.worklist.show_entries(entries)
        is_idle = self._reading.shown is None and not self._reading.opener.is_busy
        if entries and is_idle and not self._to_come and not self.tabs.isVisible():
            self.show_worklist()

    # What the records say

    def _connect_records(self) -> None:
        self.executor.opened.connect(lambda notices: self.worklist.show_notice("\n".join(notices)))
        self.executor.refused.connect(self._refused)
        self.executor.failed.connect(self._complain)
        self.autosave.found.connect(self._restore)
        self.register.entered.connect(self._entered)
        self.answers.kept.connect(lambda _: self.list_again())
        self.answers.kept.connect(self.verdicts.look_again)
        self.verdicts.changed.connect(self._case_changed)
        self.verdicts.given.connect(self.list_again)
        self.verdicts.given.connect(lambda: self._viewer.panes.active.setFocus())
        self.verdicts.failed.connect(lambda error: self._verdict.show_notice(error.message))
        self._verdict.given.connect(self.verdicts.give)
        self._verdict.sign_wanted.connect(self.verdicts.sign)
        self._verdict.draft_changed.connect(self.verdicts.write)
        page = self.worklist
        page.query_changed.connect(self.list_again)
        page.open_wanted.connect(self.open_entries)
        page.retry_wanted.connect(self.executor.start)
        page.analysis_wanted.connect(lambda entries: self.batch.add([one.id for one in entries]))
        page.first_wanted.connect(self._put_first)
        page.removal_wanted.connect(self._remove)
        page.training_wanted.connect(self.training.send)
        self._connect_batch()

    def _connect_batch(self) -> None:
        batch, bar = self.batch, self.worklist.batch
        batch.changed.connect(bar.show_state)
        batch.judged.connect(self.list_again)
        batch.failed.connect(lambda error: self.worklist.show_notice(error.message))
        batch.refused.connect(partial(self._say_refused, later("Not entered:\n{studies}")))
        batch.not_judged.connect(partial(self._say_refused, later("Not analysed:\n{studies}")))
        bar.stop_wanted.connect(batch.stop)
        bar.pause_wanted.connect(lambda pause: batch.pause() if pause else batch.go_on())

    def take(self, paths: Sequence[Path]) -> None:
        """What was dropped: on the worklist it is entered and judged, elsewhere it is opened."""
        if self.shows_worklist:
            self.batch.enter(paths)
        else:
            self._reading.open(paths)

    def _put_first(self, entries: Sequence[WorklistEntry]) -> None:
        for entry in entries:
            self.executor.ask(partial(_put_first, entry.id))
        self.batch.add([entry.id for entry in entries])

    def _remove(self, entries: Sequence[WorklistEntry]) -> None:
        """Not those that are open, which would come back at once."""
        for entry in entries:
            if self.register.study(entry) is None:
                self.executor.ask(partial(_remove, entry.id), lambda _: self.list_again())

    def _say_refused(self, words: str, refused: Sequence[Refused]) -> None:
        errors = [one for one in refused if one.is_error]
        if errors:
            hide = self.worklist.model.hides_patient
            studies = describe_refused(errors, hide, most_names=3)
            self.worklist.show_notice(tr(words, studies=studies))

    def _complain(self, error: InputError) -> None:
        """Where the reader is, and on the worklist, where it stays."""
        self.worklist.show_notice(error.message)
        if not self.shows_worklist:
            self.complained.emit(error.message)

    def _refused(self, error: InputError) -> None:
        self.worklist.show_problem(error.message)
        self.answer_wanted.emit()

    def _show_labels(self, labels: dict[str, str]) -> None:
        self.worklist.show_labels(labels)
        self._verdict.show_labels(labels)
        self.training.show_labels(labels)
        self.site.show_labels(labels)

    def _case_changed(self, case: StudyRecord | None) -> None:
        self._verdict.show_case(case)
        self.priors.show_priors(case.priors if case else (), self.worklist.model.label)
        self._verdict.show_hint(tr(WITHHELD) if self.verdicts.withholds else "")
        self.answer_wanted.emit()

    # What is read

    def _connect_tabs(self) -> None:
        self._reading.returned.connect(self._turn_to)
        self.places.changed.connect(self.autosave.touch)
        self.tabs.worklist_wanted.connect(self.show_worklist)
        self.tabs.case_wanted.connect(lambda case: self._turn_to(self.places.last_of(case)))
        self.tabs.close_wanted.connect(self._close)
        self.tabs.training_wanted.connect(self.training.enter)
        self.tabs.site_wanted.connect(self.site.enter)

    def open_entries(self, entries: Sequence[WorklistEntry]) -> None:
        """Open studies of the worklist; one that is open is turned to."""
        for entry in entries:
            study = self.register.study(entry)
            if study is not None:
                self._turn_to(study)
            else:
                self.executor.ask(partial(_paths, entry.id), self._open_listed)

    def _open_listed(self, paths: tuple[Path, ...]) -> None:
        self._reading.open(paths)
        self.list_again()  # they may have changed, or gone

    def check_files(self) -> None:
        """What is shown cannot be read: its files may have changed, or gone."""
        entry = self.register.entry(self._reading.shown.study) if self._reading.shown else None
        if entry is not None:
            look = partial(_paths, entry.id)
            self.executor.ask(look, lambda _: self.list_again())

    def show_library(self) -> None:
        """Have a tab for each open study, and enter what is new."""
        studies = self._reading.library.studies
        self.tabs.show_studies(studies)
        self.register.keep(self._reading.library)
        self.tabs.setVisible(bool(studies) or self._pages.currentWidget() is not self._study_page)
        self.autosave.touch()

    def _entered(self, study: Study, entry: WorklistEntry) -> None:
        if entry.key in self._to_come:
            self._to_come.remove(entry.key)
        self.list_again()
        shown = self._reading.shown
        if shown is not None and shown.study is study:
            self.verdicts.turn_to(entry)
            self._go_back(study, entry)
            self.places.restore()
            self.places.note()
        self.autosave.touch()

    def leave_volume(self) -> None:
        """The viewer turns to another volume: its slices are no place of the reader yet."""
        self.places.is_settled = False

    def turn_to(self, shown: Shown | None) -> None:
        """Read another study, or none."""
        entry = self.register.entry(shown.study) if shown else None
        self.verdicts.turn_to(entry)
        if shown is not None:
            self.show_study()
            self.places.enter()
            self.places.restore()
        elif self.worklist.model.entries:
            self.show_worklist()

    def settle(self) -> None:
        """The volume is loaded: back to the slice where the reader was."""
        self.places.restore()
        self.places.is_settled = True
        self.places.note()

    def _turn_to(self, study: Study) -> None:
        """Back to the series of a study where the reader was."""
        shown, entry = self._reading.shown, self.register.entry(study)
        if shown is not None and shown.study is study:
            self.show_study()
        elif entry is None or not self._go_back(study, entry):
            self._reading.show_series(study.series[0])

    def _go_back(self, study: Study, entry: WorklistEntry) -> bool:
        found = self.places.of(entry).find(study)
        shown = self._reading.shown
        if found is not None and (shown is None or (shown.series, shown.volume) != found):
            self._reading.show_series(*found)
        elif shown is not None and shown.study is study:
            self.places.enter()
        return found is not None

    def _close(self, studies: Sequence[Study]) -> None:
        for study in studies:
            self._reading.close_study(study)

    # Coming back after a kill

    def document(self) -> dict[str, Any]:
        """The window as it is; what has not come back yet is part of it."""
        shown = self.register.entry(self._reading.shown.study) if self._reading.shown else None
        keys = [*self._to_come, *(entry.key for entry in self.register.entries())]
        places = self.places.known
        return {
            "studies": {key: places.get(key, ReadingPosition()).document for key in keys},
            "refused": [asdict(one) for one in self._reading.library.refused],
            "shown": shown.key if shown else None,
            "worklist": self.shows_worklist,
        }

    def _restore(self, document: dict[str, Any]) -> None:
        studies = document.get("studies", {})
        self._reading.library.refused = [Refused(**one) for one in document.get("refused", ())]
        self.places.known |= {key: ReadingPosition.of(place) for key, place in studies.items()}
        self._to_come = [key for key in studies if key != document.get("shown")]
        if document.get("shown") in studies:
            self._to_come.append(document["shown"])
        self.executor.ask(partial(_paths_of, tuple(self._to_come)), self._open_again)

    def _open_again(self, paths: list[tuple[Path, ...]]) -> None:
        """The one that was shown comes last and so is shown."""
        self._returning = set(paths)
        for each in paths:
            self._reading.open(each)

    def takes_back(self, paths: tuple[Path, ...]) -> bool:
        """Whether this was opened because it was open when the window was killed."""
        return paths in self._returning


def _labels(find_model: Any) -> dict[str, str]:
    return {name: tr(words) for name, words in bundle.read_card(find_model()).labels.items()}


def _paths(study: int, records: Records) -> tuple[Path, ...]:
    """The files of a study, after looking whether they still are what they were."""
    records.worklist.check([study])
    return records.worklist.paths(study)


def _paths_of(keys: tuple[str, ...], records: Records) -> list[tuple[Path, ...]]:
    entries = filter(None, map(records.worklist.by_key, keys))
    return [records.worklist.paths(entry.id) for entry in entries]


def _put_first(study: int, records: Records) -> None:
    records.worklist.prioritise(study, 1)


def _remove(study: int, records: Records) -> None:
    records.worklist.remove(study)
