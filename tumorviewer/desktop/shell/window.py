"""The main window: puts the parts side by side and carries what one says to the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QMainWindow,
)

from tumorviewer.desktop.annotations.annotation_controller import AnnotationController
from tumorviewer.desktop.assessment.evidence_controller import EvidenceController
from tumorviewer.desktop.assessment.variation_controller import VariationController
from tumorviewer.desktop.hospital.hospital_actions import HospitalActions
from tumorviewer.desktop.hospital.returned_controller import ReturnedController
from tumorviewer.desktop.services.inference import (
    InferenceController,
)
from tumorviewer.desktop.services.preferences import Scheme
from tumorviewer.desktop.services.reading import Reading
from tumorviewer.desktop.services.settings import RecentEntry, Settings
from tumorviewer.desktop.services.study_answer_controller import StudyAnswerController
from tumorviewer.desktop.shell import keys, status
from tumorviewer.desktop.shell.actions import Actions
from tumorviewer.desktop.shell.answer_presenter import AnswerPresenter
from tumorviewer.desktop.shell.key_sheet import KeySheet
from tumorviewer.desktop.shell.palette import Palette
from tumorviewer.desktop.shell.reading_presenter import ReadingPresenter
from tumorviewer.desktop.shell.reading_room import ReadingRoom
from tumorviewer.desktop.shell.settings_dialog import SettingsDialog
from tumorviewer.desktop.shell.study_answer_presenter import StudyAnswerPresenter
from tumorviewer.desktop.shell.view_actions import ViewActions
from tumorviewer.desktop.shell.window_parts import WindowParts
from tumorviewer.desktop.viewer.hanging_controller import HangingController
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.drop import DropZone
from tumorviewer.desktop.worklist.start_page import RecentMenu
from tumorviewer.language import tr
from tumorviewer.resources import resource_path


class MainWindow(QMainWindow):
    """Puts the parts side by side, and connects what can be done with who does it.

    Parameters
    ----------
    inference
        Asks the model.
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
        self.ended_cleanly = True
        self.reading = Reading(inference, self)
        self._parts = parts = WindowParts()
        self.study_panel, self.viewer = parts.study_panel, parts.viewer
        self.assessment = parts.assessment
        self.start_page, self.message_page = parts.start_page, parts.message_page
        self.status = parts.status
        self.actions_ = Actions(self)
        self.annotations = AnnotationController(self.viewer.panes, self)
        self.evidence = EvidenceController(self.assessment.evidence, self.reading, settings, self)
        self.room = ReadingRoom(parts, self.reading, self.viewer, self.assessment.verdict)
        self.hanging = HangingController(self.reading, self.viewer, self)
        self._variation = VariationController(self.assessment.answer, self.reading, self)
        self._answer = AnswerPresenter(parts, self.reading, self.room, self.evidence, self.actions_)
        self.study_answers = StudyAnswerController(
            self.reading, self.room.executor, self.room.register, self
        )
        self._study = StudyAnswerPresenter(
            parts, self.reading, self.room, self.study_answers, self.actions_
        )
        self.hospital = HospitalActions(
            self, self.reading, self.study_answers, self.room.executor, self.room.register,
            self.room.verdicts,
        )  # fmt: skip
        self.returned = ReturnedController(
            self.reading, self._study.layer, self.room.verdicts, self
        )
        self._presenter = ReadingPresenter(
            parts, self.reading, self.room, self._answer, self.annotations, self.hanging,
            self.actions_, settings,
        )  # fmt: skip
        self._build()
        self._connect()
        self._restore()

    def open(self, paths: list[Path]) -> None:
        """Open files and folders, as if they were dropped."""
        self.reading.open(paths)

    # Construction

    def _build(self) -> None:
        self.study_panel.add_part(self.room.priors)
        self.study_panel.add_part(self.returned.part)
        self.study_panel.add_part(self.annotations.panel)
        self.setCentralWidget(self.room)
        self.setStatusBar(self.status)
        menus = self.actions_.fill_menus(self)
        self._recent_menu = RecentMenu(self)
        self._recent_menu.chosen.connect(self._open_recent)
        menus["File"].insertMenu(self.actions_["close_study"], self._recent_menu)
        self.addToolBar(self.actions_.tool_bar())
        self.setMinimumSize(QSize(1000, 600).boundedTo(self.screen().availableSize()))

    def _connect(self) -> None:
        DropZone(self).dropped.connect(self.room.take)
        self.room.worklist.folder_wanted.connect(self._choose_batch)
        self.status.self_test_wanted.connect(self.actions_["self_test"].trigger)
        self.start_page.files_wanted.connect(self.actions_["open_files"].trigger)
        self.start_page.folder_wanted.connect(self.actions_["open_folder"].trigger)
        self.start_page.demonstration_wanted.connect(self.open_demonstration)
        self.start_page.recent_chosen.connect(self._open_recent)
        self.annotations.exported.connect(self.room.register.note_export)
        self.room.register.entered.connect(partial(self.annotations.keep_with, self.room.executor))
        slots = self._own_slots() | self._reading_slots() | self.annotations.actions()
        slots |= self.hospital.slots()
        for name, slot in slots.items():
            self.actions_[name].triggered.connect(lambda _=False, slot=slot: slot())
        self._view_actions = ViewActions(self.actions_, self.viewer)
        self.actions_["fuse"].toggled.connect(self.hanging.set_fusing)
        self.actions_["hide_patient"].toggled.connect(self._hide_patient)
        self.actions_["full_screen"].toggled.connect(self._set_full_screen)
        choose = self._settings.choose
        self.actions_["verdict_first"].toggled.connect(partial(choose, "verdict_first"))
        self.assessment.verdict.reader_named.connect(partial(choose, "reader"))

    def _own_slots(self) -> dict[str, Callable[[], object]]:
        choose = partial(self._settings.choose, "colours")
        return {scheme.value: partial(choose, scheme.value) for scheme in Scheme} | {
            "open_files": self._choose_files,
            "open_folder": self._choose_folder,
            "open_demonstration": self.open_demonstration,
            "quit": self.close,
            "worklist": self.room.show_worklist,
            "training": self.room.training.enter,
            "site": self.room.site.enter,
            "send_to_training": self.room.send_to_training,
            "next_tab": lambda: self.room.tabs.step(1),
            "previous_tab": lambda: self.room.tabs.step(-1),
            "self_test": self._show_self_test,
            "palette": lambda: Palette(self, self.actions_).open(),
            "settings": lambda: SettingsDialog(self, self._settings, self.actions_).open(),
            "shortcuts": lambda: KeySheet(self, self.actions_).open(),
            "about": lambda: status.make_about_dialog(self).open(),
        }

    def _reading_slots(self) -> dict[str, Callable[[], object]]:
        reading, viewer = self.reading, self.viewer
        return {
            "close_study": reading.close_study,
            "close_all": reading.close_all,
            "previous_volume": lambda: reading.step_volume(-1),
            "next_volume": lambda: reading.step_volume(1),
            "previous_series": lambda: reading.step_series(-1),
            "next_series": lambda: reading.step_series(1),
            "analyse": self._study.analyse,
            "explain_slice": lambda: reading.inference.explain_slice(viewer.slice()),
            "cancel": self._study.cancel,
            "next_key_slice": self._answer.show_next_key_slice,
            "next_candidate": self._study.show_next_candidate,
            "restart_worker": self._answer.restart_worker,
            "model_card": self.evidence.show_card,
            "write_verdict": self.assessment.verdict.write,
        }

    # Opening

    def open_demonstration(self) -> None:
        """Open the study that ships with the program."""
        self.open([resource_path("demonstration")])

    def _choose_files(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, tr("Open files"))
        self.open([Path(path) for path in paths])

    def _choose_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Open folder")):
            self.open([Path(path)])

    def _choose_batch(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Enter a folder on the worklist")):
            self.room.batch.enter([Path(path)])

    def _open_recent(self, entry: RecentEntry) -> None:
        self.open([Path(path) for path in entry.paths])

    def _show_self_test(self) -> None:
        status.make_self_test_dialog(self, self.status.tested, self.status.worker).open()

    # The look

    def _hide_patient(self, hide: bool) -> None:
        self._hides_patient = hide
        self._presenter.hide_patient(hide)
        self._show_recent()

    def _follow_settings(self, name: str) -> None:
        if name == "colours":
            self._apply_theme()
        elif name == "verdict_first":
            self._ask_verdict_first()
        elif name == "reader":
            self.room.name_reader(str(self._settings["reader"]))

    def _apply_theme(self) -> None:
        theme.apply_theme(self._settings.scheme)
        self.actions_[self._settings.scheme.value].setChecked(True)
        self.actions_.draw_icons()
        self.start_page.draw()

    def _ask_verdict_first(self) -> None:
        first = self._settings.verdict_first
        self.actions_["verdict_first"].setChecked(first)
        self.room.ask_first(first)

    def _set_full_screen(self, full: bool) -> None:
        self.showFullScreen() if full else self.showNormal()

    def _show_recent(self) -> None:
        entries = self._settings.recent()
        self.start_page.show_recent(entries, self._hides_patient)
        self._recent_menu.show_recent(entries, self._hides_patient)

    # Beginning and end

    def _restore(self) -> None:
        self.resize(1440, 900)
        self.restoreGeometry(self._settings.layout("window"))
        self._parts.restoreState(self._settings.layout("splitter"))
        self.actions_[self._settings.scheme.value].setChecked(True)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._system_colours_changed)
        self._settings.changed.connect(self._follow_settings)
        self._settings.recent_changed.connect(self._show_recent)
        theme.get_application().focusChanged.connect(self.actions_.follow_focus)
        keys.assign_keys(self.actions_, self._settings.keys)
        self._ask_verdict_first()
        self.room.name_reader(str(self._settings["reader"]))
        self.actions_["hide_patient"].setChecked(bool(self._settings["hide_patient"]))
        self._show_recent()
        self._presenter.show_nothing()

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
        self._settings.set_layout("splitter", self._parts.saveState())
        self.hide()
        self.ended_cleanly = (
            self.evidence.close()
            & self.hospital.close()
            & self.returned.close()
            & self.reading.close()
            & self.assessment.mask_part.close_jobs()
            & self.room.close_records()
        )
        super().closeEvent(event)
