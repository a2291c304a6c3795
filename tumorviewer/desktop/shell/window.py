"""The main window: puts the parts side by side and carries what one says to the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QMainWindow,
    QMenu,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from tumorviewer.desktop.annotations.annotation_controller import AnnotationController
from tumorviewer.desktop.assessment import reliability
from tumorviewer.desktop.assessment.answer import OUTSIDE
from tumorviewer.desktop.assessment.assessment_panel import AssessmentPanel
from tumorviewer.desktop.assessment.evidence_controller import EvidenceController
from tumorviewer.desktop.assessment.variation_controller import VariationController
from tumorviewer.desktop.services.inference import (
    InferenceController,
    InferencePhase,
    InferenceState,
)
from tumorviewer.desktop.services.preferences import Scheme
from tumorviewer.desktop.services.reading import Reading, Shown
from tumorviewer.desktop.services.settings import RecentEntry, Settings
from tumorviewer.desktop.shell import keys, status
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.key_sheet import KeySheet
from tumorviewer.desktop.shell.palette import Palette
from tumorviewer.desktop.shell.reading_room import WITHHELD, ReadingRoom
from tumorviewer.desktop.shell.settings_dialog import SettingsDialog
from tumorviewer.desktop.shell.start_page import MessagePage, StartPage
from tumorviewer.desktop.shell.status import StatusLine
from tumorviewer.desktop.shell.view_actions import ViewActions
from tumorviewer.desktop.viewer.captions import describe_patient, describe_series
from tumorviewer.desktop.viewer.hanging_controller import HangingController
from tumorviewer.desktop.viewer.map_checks import MapChecks
from tumorviewer.desktop.viewer.viewer import Viewer
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.drop import DropZone
from tumorviewer.desktop.worklist.refused_list import describe_refused
from tumorviewer.desktop.worklist.study_list import describe_study
from tumorviewer.desktop.worklist.study_panel import StudyPanel
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.resources import resource_path
from tumorviewer.study.types import Opened, Volume

_OPACITY_STEP = 0.1


class MainWindow(QMainWindow):
    """Studies on the left, the image in the middle, the assessment on the right.

    Parameters
    ----------
    analyst
        Who asks the model.
    settings
        What the window remembers.
    """

    painted = Signal()
    """The window is on the screen for the first time."""

    def __init__(self, inference: InferenceController, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._is_painted = False
        self._hides_patient = False
        self._filled_count = 0
        self._first_slice = 0
        self.ended_cleanly = True
        self.reading = Reading(inference, self)
        self.study_panel = StudyPanel()
        self.viewer = Viewer()
        self.marking = AnnotationController(self.viewer.panes, self)
        self.assessment = AssessmentPanel()
        self.start_page = StartPage()
        self.message_page = MessagePage()
        self.status = StatusLine()
        self.actions_ = Actions(self)
        self.varying = VariationController(
            self.assessment.answer, self.reading.inference, self._shown_slice, self
        )
        self.evidence = EvidenceController(self.assessment.evidence, self.reading, settings, self)
        self._build()
        self._connect_parts()
        self._connect_actions()
        self._connect_marks()
        self._restore()

    def open(self, paths: list[Path]) -> None:
        """Open files and folders, as if they were dropped."""
        self.reading.open(paths)

    # Construction

    def _build(self) -> None:
        self._middle = QStackedWidget()
        for page in (self.start_page, self.message_page, self.viewer):
            self._middle.addWidget(page)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setHandleWidth(4)
        for part in (self.study_panel, self._middle, self.assessment):
            self._splitter.addWidget(part)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setSizes([260, 1000, 320])
        self.study_panel.setMinimumWidth(200)
        self.assessment.setMinimumWidth(288)
        self.assessment.setMaximumWidth(480)
        self.room = ReadingRoom(self._splitter, self.reading, self.viewer, self.assessment.verdict)
        self.study_panel.add_part(self.room.priors)
        self.setCentralWidget(self.room)
        self.setStatusBar(self.status)
        menus = self.actions_.fill_menus(self)
        self._recent_menu = QMenu(tr("Open recent"), self)
        menus["File"].insertMenu(self.actions_["close_study"], self._recent_menu)
        self.addToolBar(self.actions_.tool_bar())
        self.setMinimumSize(QSize(1000, 600).boundedTo(self.screen().availableSize()))

    def _connect_parts(self) -> None:
        reading, inference = self.reading, self.reading.inference
        DropZone(self).dropped.connect(self.room.take)
        reading.library_changed.connect(self._show_library)
        reading.opened.connect(self._opened)
        reading.updated.connect(lambda text: self.status.showMessage(text, 15_000))
        reading.shown_changed.connect(self._show)
        reading.volume_filled.connect(self._filled)
        reading.volume_loaded.connect(self._loaded)
        reading.load_failed.connect(self._load_failed)
        reading.thumbnails.made.connect(self.study_panel.studies.set_thumbnail)
        reading.opener.progressed.connect(self.study_panel.progress.show_progress)
        reading.opener.ended.connect(self.study_panel.progress.hide)
        inference.changed.connect(self._show_state)
        inference.ready.connect(self.status.show_ready)
        inference.stopped.connect(self.status.show_stopped)
        self.study_panel.studies.chosen.connect(reading.show_series)
        self.study_panel.volume_chosen.connect(reading.show_volume)
        self.study_panel.cancel_wanted.connect(reading.opener.cancel)
        self.viewer.sliceChanged.connect(self.assessment.set_slice)
        self.viewer.sliceChanged.connect(self._offer_explanation)
        self.viewer.sliceChanged.connect(self.evidence.set_slice)
        self.room.answer_wanted.connect(lambda: self._show_state(inference.state))
        self.room.slice_restored.connect(self._restore_slice)
        self.room.training.promoted.connect(self._model_changed)
        self.room.worklist.folder_wanted.connect(self._choose_folder)
        self.assessment.slice_wanted.connect(self.viewer.set_slice)
        self.assessment.maps.explanation_wanted.connect(inference.explain)
        self.assessment.maps.slice_wanted.connect(self.actions_["explain_slice"].trigger)
        checks = MapChecks(inference, self.viewer, self.assessment.maps, self)
        self.room.answer_wanted.connect(checks.rest)
        self.assessment.insisted.connect(checks.rest)
        self.assessment.cancel_wanted.connect(inference.cancel)
        self.assessment.insisted.connect(lambda: self._show_state(inference.state))
        self.assessment.reliability_wanted.connect(self._show_reliability)
        self.assessment.action_wanted.connect(lambda name: self.actions_[name].trigger())
        self.status.cancel_wanted.connect(reading.cancel_loading)
        self.status.self_test_wanted.connect(self.actions_["self_test"].trigger)
        self.start_page.files_wanted.connect(self.actions_["open_files"].trigger)
        self.start_page.folder_wanted.connect(self.actions_["open_folder"].trigger)
        self.start_page.demonstration_wanted.connect(self.open_demonstration)
        self.start_page.recent_chosen.connect(self._open_recent)
        self.message_page.retry_wanted.connect(reading.load_again)
        self.message_page.back_wanted.connect(partial(self._show, None))
        self.room.follow_reading()

    def _connect_actions(self) -> None:
        reading, viewer = self.reading, self.viewer
        for name, slot in {
            "open_files": self._choose_files,
            "open_folder": self._choose_folder,
            "open_demonstration": self.open_demonstration,
            "close_study": reading.close_study,
            "close_all": reading.close_all,
            "quit": self.close,
            "toggle_map": viewer.toggle_map,
            "more_opaque": lambda: viewer.set_opacity(viewer.opacity() + _OPACITY_STEP),
            "less_opaque": lambda: viewer.set_opacity(viewer.opacity() - _OPACITY_STEP),
            "next_window": self._next_window,
            "reset_view": viewer.reset_view,
            "previous_slice": viewer.previous_slice,
            "next_slice": viewer.next_slice,
            "first_slice": lambda: viewer.set_slice(0),
            "last_slice": lambda: viewer.set_slice(viewer.state.count - 1),
            "next_key_slice": self._next_key_slice,
            "previous_volume": lambda: reading.step_volume(-1),
            "next_volume": lambda: reading.step_volume(1),
            "previous_series": lambda: reading.step_series(-1),
            "next_series": lambda: reading.step_series(1),
            "analyse": reading.inference.analyse,
            "explain_slice": lambda: reading.inference.explain_slice(viewer.slice()),
            "cancel": self._cancel,
            "worklist": self.room.show_worklist,
            "training": self.room.training.enter,
            "site": self.room.site.enter,
            "send_to_training": self.room.send_to_training,
            "next_tab": lambda: self.room.tabs.step(1),
            "previous_tab": lambda: self.room.tabs.step(-1),
            "write_verdict": self.assessment.verdict.form.classes.setFocus,
            "restart_worker": self._restart_worker,
            "self_test": self._show_self_test,
            "model_card": self.evidence.show_card,
            "palette": lambda: Palette(self, self.actions_).open(),
            "settings": lambda: SettingsDialog(self, self._settings, self.actions_).open(),
            "shortcuts": lambda: KeySheet(self, self.actions_).open(),
            "about": lambda: status.make_about_dialog(self).open(),
        }.items():
            self._on(name, slot)
        self._view_actions = ViewActions(self.actions_, viewer)
        self.hanging = HangingController(reading, viewer, self)
        self.hanging.complained.connect(lambda text: self.status.showMessage(text, 15_000))
        self.actions_["fuse"].toggled.connect(self.hanging.set_fusing)
        for scheme in Scheme:
            self._on(scheme.value, partial(self._settings.choose, "colours", scheme.value))
        self.actions_["hide_patient"].toggled.connect(self._hide_patient)
        self.actions_["verdict_first"].toggled.connect(
            partial(self._settings.choose, "verdict_first")
        )
        self.actions_["full_screen"].toggled.connect(self._set_full_screen)

    def _connect_marks(self) -> None:
        marking, reading = self.marking, self.reading
        self.study_panel.add_part(marking.panel)
        reading.shown_changed.connect(lambda shown: marking.show_study(shown and shown.study))
        reading.library_changed.connect(lambda: marking.keep_open(reading.library.studies))
        reading.volume_loaded.connect(marking.arrive)
        marking.series_wanted.connect(reading.show_series)
        marking.layout_wanted.connect(self.viewer.show_layout)
        marking.exported.connect(self.room.register.note_export)
        self.room.register.entered.connect(partial(marking.keep_with, self.room.executor))
        for name, slot in marking.actions().items():
            self._on(name, slot)

    def _on(self, action: str, slot: Callable[[], object]) -> None:
        self.actions_[action].triggered.connect(lambda _=False: slot())

    # Opening and loading

    def open_demonstration(self) -> None:
        """Open the study that ships with the program."""
        self.open([resource_path("demonstration")])

    def _choose_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, tr("Open files"))
        self.open([Path(path) for path in paths])

    def _choose_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Open folder")):
            self.room.take([Path(path)])

    def _open_recent(self, entry: RecentEntry) -> None:
        self.open([Path(path) for path in entry.paths])

    def _opened(self, paths: tuple[Path, ...], opened: Opened) -> None:
        if opened.studies:
            self._settings.remember(RecentEntry.of(paths))
            self._show_recent()
            self.viewer.image.setFocus()
        elif self.reading.shown is None:
            self._say_nothing_opened(opened)
        elif opened.refused:
            self.study_panel.refused.open()

    def _say_nothing_opened(self, opened: Opened) -> None:
        text = describe_refused(opened.refused, self._hides_patient, most_names=3)
        text = text or tr("There are no files in it.")
        self.message_page.show_message(tr("Nothing here can be shown"), text, can_retry=False)
        self._middle.setCurrentWidget(self.message_page)
        self.room.show_study()

    def _show_library(self) -> None:
        self.study_panel.show_library(self.reading.library)
        self.actions_.provide("study", bool(self.reading.library.studies))

    def _show(self, shown: Shown | None) -> None:
        self._set_title()
        self.viewer.show_volume(None)
        self.actions_.provide("series", shown is not None)
        if shown is None:
            self.study_panel.show_volumes((), 0)
            self.study_panel.show_notes(())
            self._middle.setCurrentWidget(self.start_page)
            self.assessment.show_message(tr("No series is shown."))
            self.status.progress.hide()
            return
        self.study_panel.show_series(shown.series, shown.volume)
        self.study_panel.show_notes(shown.source.notes)
        self.viewer.set_patient_text(describe_patient(shown))
        self.viewer.set_series_text(describe_series(shown))
        self._middle.setCurrentWidget(self.viewer)
        self.status.progress.show_progress(tr("Loading…"))
        self.assessment.show_message(tr("The analysis starts when all slices are loaded."))

    def _filled(self, volume: Volume, slices: list[int]) -> None:
        if self.viewer.state.volume is None:
            self.viewer.show_volume(volume, complete=False)
            self._filled_count = 0
        for index in slices:
            self.viewer.slice_filled(index)
        self._filled_count += len(slices)
        count = len(volume.array)
        text = tr("Loading slice {n} of {count}", n=self._filled_count, count=count)
        self.status.progress.show_progress(text, self._filled_count, count)

    def _loaded(self, volume: Volume) -> None:
        self.status.progress.hide()
        self.viewer.show_volume(volume)
        self.study_panel.show_notes(volume.notes)
        self._first_slice = self.viewer.slice()

    def _restore_slice(self, index: int) -> None:
        self.viewer.set_slice(index)
        self._first_slice = -1  # the reader chose it: the answer does not turn to another

    def _load_failed(self, error: InputError) -> None:
        self.status.progress.hide()
        self.message_page.show_message(tr("This series cannot be shown"), error.message, True)
        self._middle.setCurrentWidget(self.message_page)
        self.assessment.show_message(tr("Not analysed: the series is not loaded."))

    # The model's answer

    def _show_state(self, state: InferenceState) -> None:
        panel = self.assessment
        match state.phase:
            case InferencePhase.WORKING:
                panel.show_progress(state.text, state.done, state.total)
                self.viewer.set_map_message(state.text)
            case InferencePhase.ANSWERED:
                self._withhold() if self.room.verdicts.withholds else self._show_answer(state)
            case InferencePhase.CANCELLED:
                self._explain(
                    state, tr("Not analysed: it was cancelled."), "analyse", tr("Analyse now")
                )
            case InferencePhase.FAILED:
                self._explain(state, state.text, "analyse", tr("Try again"), is_error=True)
            case InferencePhase.DIED:
                text = tr(
                    "The analysis process stopped. {text} The study is still open.", text=state.text
                )
                self._explain(state, text, "restart_worker", tr("Restart it"), is_error=True)
            case InferencePhase.IDLE:
                self.viewer.set_map_message("")
        self._offer_explanation()

    def _show_answer(self, state: InferenceState) -> None:
        finding = state.finding
        assert finding is not None
        self.room.verdicts.see_answer()
        is_new = not self.assessment.has_answer
        self.assessment.show_finding(finding)
        self.assessment.set_slice(self.viewer.slice())
        self.evidence.show_finding(finding)
        if self.assessment.hides_class:
            self.viewer.show_finding(None)
            self.viewer.set_map_message(tr(OUTSIDE))
            return
        self.viewer.show_finding(finding)
        untouched = self.viewer.slice() == self._first_slice
        if is_new and untouched and finding.predicted_class != finding.no_tumour:
            self.viewer.set_slice(finding.key_slices[0])

    def _model_changed(self) -> None:
        """Another model is in use: what is asked from now on, it answers."""
        self.reading.inference.forget_all()
        self.room.ask_labels()
        if self.assessment.has_answer:
            text = tr("This is the answer of the model that was in use before.")
            words = tr("Ask the model in use")
            self.assessment.show_remark(text, action="analyse", action_text=words)

    def _withhold(self) -> None:
        problem = self.room.verdicts.problem
        if problem is None:
            self.assessment.show_message(tr(WITHHELD))
            self.viewer.set_map_message(tr(WITHHELD))
            return
        text = tr(
            "Your verdict cannot be written before the answer is shown. {problem}",
            problem=problem.message,
        )
        self.assessment.show_message(
            text, is_error=True, action="verdict_first", action_text=tr("Show answers without it")
        )
        self.viewer.set_map_message(text)

    def _explain(
        self,
        state: InferenceState,
        text: str,
        action: str,
        action_text: str,
        is_error: bool = False,
    ) -> None:
        show = self.assessment.show_remark if state.finding else self.assessment.show_message
        show(text, is_error=is_error, action=action, action_text=action_text)
        if state.finding is None:
            self.viewer.set_map_message(text)
        else:
            self.assessment.maps.show_finding(state.finding)

    def _offer_explanation(self) -> None:
        offer = self.reading.inference.can_explain(self.viewer.slice())
        self.actions_.provide("unexplained", offer)
        self.actions_.provide("answer", self.assessment.has_answer)
        self.assessment.maps.offer_slice(offer)

    def _next_key_slice(self) -> None:
        finding = self.reading.inference.state.finding
        if finding is not None and finding.key_slices and self.assessment.has_answer:
            keys = sorted(finding.key_slices)
            later = [index for index in keys if index > self.viewer.slice()]
            self.viewer.set_slice((later or keys)[0])

    def _restart_worker(self) -> None:
        self.status.show_starting()
        self.reading.inference.restart()

    def _shown_slice(self) -> tuple[Volume | None, int]:
        return self.viewer.state.volume, self.viewer.slice()

    def _show_reliability(self) -> None:
        finding = self.reading.inference.state.finding
        if finding is not None:
            reliability.make_reliability_dialog(
                self, self.reading.inference.find_model, finding
            ).show()

    def _show_self_test(self) -> None:
        status.make_self_test_dialog(self, self.status.tested, self.status.worker).open()

    def _cancel(self) -> None:
        self.reading.opener.cancel()
        self.reading.cancel_loading()
        self.reading.inference.cancel()

    # The look

    def _next_window(self) -> None:
        windows = self.viewer.windows()
        if windows:
            current = self.viewer.state.window
            at = windows.index(current) if current in windows else -1
            self.viewer.set_window(windows[(at + 1) % len(windows)])

    def _hide_patient(self, hide: bool) -> None:
        self._hides_patient = hide
        self.study_panel.hide_patient(hide)
        self.room.hide_patient(hide)
        if self.viewer.state.patient_text_shown is hide:
            self.viewer.toggle_patient_text()
        self._set_title()
        self._show_recent()

    def _set_title(self) -> None:
        shown = self.reading.shown
        if shown is None:
            self.setWindowTitle("TumorViewer")
            return
        number = self.reading.library.studies.index(shown.study) + 1
        title, _ = describe_study(shown.study, number, self._hides_patient)
        if shown.study.uid is None and not self._hides_patient:
            title = shown.study.title
        self.setWindowTitle(f"{' '.join(title.split())} – TumorViewer")

    def _follow_settings(self, name: str) -> None:
        if name == "colours":
            self._apply_theme()
        elif name == "verdict_first":
            self._ask_verdict_first()

    def _apply_theme(self) -> None:
        theme.apply_theme(self._settings.scheme)
        self.actions_[self._settings.scheme.value].setChecked(True)
        self.actions_.draw_icons()
        self.start_page.draw()

    def _ask_verdict_first(self) -> None:
        first = self._settings.verdict_first
        self.actions_["verdict_first"].setChecked(first)
        self.room.ask_first(first)

    def _focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        self.actions_.give_way(now)

    def _set_full_screen(self, full: bool) -> None:
        self.showFullScreen() if full else self.showNormal()

    def _show_recent(self) -> None:
        entries = self._settings.recent()
        self.start_page.show_recent(entries, self._hides_patient)
        self._recent_menu.clear()
        for number, entry in enumerate(entries, 1):
            title = tr("Recent study {n}", n=number) if self._hides_patient else entry.title
            action = self._recent_menu.addAction(title.replace("&", "&&"))
            action.triggered.connect(lambda _=False, entry=entry: self._open_recent(entry))
        self._recent_menu.setEnabled(bool(entries))

    # Beginning and end

    def _restore(self) -> None:
        self.resize(1440, 900)
        self.restoreGeometry(self._settings.layout("window"))
        self._splitter.restoreState(self._settings.layout("splitter"))
        self.actions_[self._settings.scheme.value].setChecked(True)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_colours_changed)
        self._settings.changed.connect(self._follow_settings)
        theme.get_application().focusChanged.connect(self._focus_changed)
        keys.assign_keys(self.actions_, self._settings.keys)
        self._ask_verdict_first()
        self.actions_["hide_patient"].setChecked(bool(self._settings["hide_patient"]))
        self._show_recent()
        self._show(None)

    def _system_colours_changed(self) -> None:
        if self._settings.scheme is Scheme.SYSTEM:
            self._apply_theme()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            QTimer.singleShot(0, self.painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.room.training.asks_before_closing(self):
            event.ignore()
            return
        self._settings.set_layout("window", self.saveGeometry())
        self._settings.set_layout("splitter", self._splitter.saveState())
        self.hide()
        self.ended_cleanly = (
            self.evidence.close() & self.reading.close() & self.room.close_records()
        )
        super().closeEvent(event)
