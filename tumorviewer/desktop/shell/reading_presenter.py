"""What is shown of the study that is read: its images, its place in the list, its loading."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject

from tumorviewer.desktop.annotations.annotation_controller import AnnotationController
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.settings import RecentEntry, Settings
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.answer_presenter import AnswerPresenter
from tumorviewer.desktop.shell.reading_room import ReadingRoom
from tumorviewer.desktop.shell.window_parts import WindowParts
from tumorviewer.desktop.viewer.captions import describe_patient, describe_series
from tumorviewer.desktop.viewer.hanging_controller import HangingController
from tumorviewer.desktop.worklist.refused_list import describe_refused
from tumorviewer.desktop.worklist.study_list import describe_study
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.study.types import Opened, Volume

_REMARK_MS = 15_000


class ReadingPresenter(QObject):
    """The one listener to what is shown: gives it to each view, in an order that stands here."""

    def __init__(
        self,
        parts: WindowParts,
        reading: Reading,
        room: ReadingRoom,
        answer: AnswerPresenter,
        annotations: AnnotationController,
        hanging: HangingController,
        actions: Actions,
        settings: Settings,
    ) -> None:
        super().__init__(parts)
        self._parts, self._reading, self._room, self._answer = parts, reading, room, answer
        self._annotations, self._hanging = annotations, hanging
        self._actions, self._settings = actions, settings
        self._hides_patient = False
        self._filled_count = 0
        self._connect()

    def _connect(self) -> None:
        reading, parts = self._reading, self._parts
        reading.library_changed.connect(self._show_library)
        reading.opened.connect(self._opened)
        reading.updated.connect(self.say)
        reading.shown_changed.connect(self.show)
        reading.volume_filled.connect(self._filled)
        reading.volume_loaded.connect(self._loaded)
        reading.load_failed.connect(self._load_failed)
        reading.thumbnails.made.connect(parts.study_panel.studies.set_thumbnail)
        reading.opener.progressed.connect(parts.study_panel.progress.show_progress)
        reading.opener.ended.connect(parts.study_panel.progress.hide)
        parts.study_panel.studies.chosen.connect(reading.show_series)
        parts.study_panel.volume_chosen.connect(reading.show_volume)
        parts.study_panel.cancel_wanted.connect(reading.opener.cancel)
        parts.status.cancel_wanted.connect(reading.cancel_loading)
        parts.message_page.retry_wanted.connect(reading.load_again)
        parts.message_page.back_wanted.connect(self.show_nothing)
        self._room.places.slice_restored.connect(self._answer.restore_slice)
        self._hanging.complained.connect(self.say)
        self._hanging.unfused.connect(lambda: self._actions["fuse"].setChecked(False))
        self._room.complained.connect(self.say)
        self._annotations.series_wanted.connect(reading.show_series)
        self._annotations.layout_wanted.connect(parts.viewer.show_layout)

    def say(self, text: str) -> None:
        """Say something in the line at the bottom for a while."""
        self._parts.status.showMessage(text, _REMARK_MS)

    # What is open

    def _opened(self, paths: tuple[Path, ...], opened: Opened) -> None:
        if opened.studies:
            if not self._room.takes_back(paths):
                self._settings.remember(RecentEntry.of(paths))
            self._parts.viewer.image.setFocus()
        elif self._room.shows_worklist:
            text = describe_refused(opened.refused, self._hides_patient, most_names=3)
            self._room.worklist.show_notice(text or tr("There are no files in it."))
        elif self._reading.shown is None:
            self._say_nothing_opened(opened)
        elif opened.refused:
            self._parts.study_panel.refused.open()

    def _say_nothing_opened(self, opened: Opened) -> None:
        text = describe_refused(opened.refused, self._hides_patient, most_names=3)
        text = text or tr("There are no files in it.")
        self._parts.show_message(tr("Nothing here can be shown"), text, can_retry=False)
        self._room.show_study()

    def _show_library(self) -> None:
        library = self._reading.library
        self._parts.study_panel.show_library(library)
        self._actions.provide("study", bool(library.studies))
        self._room.show_library()
        self._hanging.show_companions()
        self._annotations.keep_open(library.studies)

    # What is shown

    def show(self, shown: Shown | None) -> None:
        """Turn every view to another volume, whose loading begins, or to none."""
        self._answer.turn(self._reading.snapshot)
        self._room.leave_volume()
        self.show_nothing() if shown is None else self._show_loading(shown)
        self._room.turn_to(shown)
        self._hanging.turn_to(shown)
        self._annotations.show_study(shown and shown.study)

    def show_nothing(self) -> None:
        """Show the page on which a study is opened."""
        parts = self._parts
        self.show_title()
        parts.viewer.show_volume(None)
        self._actions.provide("series", False)
        parts.study_panel.show_volumes((), 0)
        parts.study_panel.show_notes(())
        parts.middle.setCurrentWidget(parts.start_page)
        parts.assessment.show_message(tr("No series is shown."))
        parts.status.progress.hide()

    def _show_loading(self, shown: Shown) -> None:
        parts = self._parts
        self.show_title()
        parts.viewer.show_volume(None)
        self._actions.provide("series", True)
        parts.study_panel.show_series(shown.series, shown.volume)
        parts.study_panel.show_notes(shown.source.notes)
        parts.viewer.set_patient_text(describe_patient(shown))
        parts.viewer.set_series_text(describe_series(shown))
        parts.middle.setCurrentWidget(parts.viewer)
        parts.status.progress.show_progress(tr("Loading…"))
        parts.assessment.show_message(tr("The analysis starts when all slices are loaded."))

    def _filled(self, volume: Volume, slices: list[int]) -> None:
        if self._parts.viewer.state.volume is None:
            self._parts.viewer.show_volume(volume, complete=False)
            self._filled_count = 0
        for index in slices:
            self._parts.viewer.slice_filled(index)
        self._filled_count += len(slices)
        count = len(volume.array)
        text = tr("Loading slice {n} of {count}", n=self._filled_count, count=count)
        self._parts.status.progress.show_progress(text, self._filled_count, count)

    def _loaded(self, volume: Volume) -> None:
        self._parts.status.progress.hide()
        self._parts.viewer.show_volume(volume)
        self._parts.study_panel.show_notes(volume.notes)
        self._answer.start_at(self._parts.viewer.slice())
        self._hanging.apply_window(volume)
        self._room.settle()
        self._annotations.arrive()

    def _load_failed(self, error: InputError) -> None:
        parts = self._parts
        parts.status.progress.hide()
        parts.show_message(tr("This series cannot be shown"), error.message, can_retry=True)
        parts.assessment.show_message(tr("Not analysed: the series is not loaded."))
        self._room.check_files()

    # Whose study it is

    def hide_patient(self, hide: bool) -> None:
        """Show or hide names, identifiers and paths."""
        self._hides_patient = hide
        self._parts.study_panel.hide_patient(hide)
        self._room.hide_patient(hide)
        if self._parts.viewer.state.patient_text_shown is hide:
            self._parts.viewer.toggle_patient_text()
        self.show_title()

    def show_title(self) -> None:
        """Call the window as the shown study."""
        shown, window = self._reading.shown, self._parts.window()
        if shown is None:
            window.setWindowTitle("TumorViewer")
            return
        number = self._reading.library.studies.index(shown.study) + 1
        title, _ = describe_study([shown.study], number, self._hides_patient)
        window.setWindowTitle(f"{' '.join(title.split())} – TumorViewer")
