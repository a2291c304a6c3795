"""Starting the window: paint first, then everything that takes time."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tumorviewer.desktop.shell import screen

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from tumorviewer.desktop.services.settings import Settings
    from tumorviewer.desktop.shell.window import MainWindow


def run_window(paths: list[str]) -> int:
    """Open the window on some paths and return when it is closed.

    Returns
    -------
    int
        0, or 2 if no window can be opened; the reason is on standard error.
    """
    if reason := screen.find_display_problem():
        sys.stderr.write(f"{reason}\n")
        return 2
    application = make_application()
    window = make_window()
    window.painted.connect(window.reading.opener.warm_up)
    window.painted.connect(window.room.start)
    if paths:
        window.painted.connect(lambda: window.open([Path(path) for path in paths]))
    window.painted.connect(window.reading.inference.start)
    window.show()
    window.activateWindow()
    code = application.exec()
    if not window.ended_cleanly:
        leave_at_once(code)
    return code


def make_application() -> QApplication:
    """Qt's application object, with our name and look."""
    from PySide6.QtWidgets import QApplication

    from tumorviewer.desktop.widgets import theme

    existing = QApplication.instance()
    if existing is None:
        _scale()
    application = existing if isinstance(existing, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("TumorViewer")
    application.setDesktopFileName("tumorviewer")
    application.setStyle("Fusion")
    settings = _settings()
    _speak(application, str(settings["language"]))
    theme.apply_theme(settings.scheme)
    return application


def make_window() -> MainWindow:
    """The main window with a worker of its own, which is not started yet."""
    from tumorviewer.analysis.client import WorkerClient
    from tumorviewer.desktop.services.inference import InferenceController
    from tumorviewer.desktop.shell.window import MainWindow

    inference = InferenceController(WorkerClient, find_default_model, find_finder)
    return MainWindow(inference, _settings())


def find_default_model() -> Path:
    """Folder of the model that is asked.

    Raises
    ------
    InputError
        If there is none.
    """
    from tumorviewer.models.catalogue import Catalogue

    catalogue = Catalogue()
    return catalogue.folder(catalogue.default())


def find_finder() -> Path | None:
    """Folder of the model that outlines, if there is one."""
    from tumorviewer.models.catalogue import Catalogue

    return Catalogue().finder()


def leave_at_once(code: int) -> None:
    """End the process although a thread still waits for a slow disk."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def _scale() -> None:
    """Let Qt draw everything larger; what is said outside the program goes first."""
    from tumorviewer.desktop.services import preferences
    from tumorviewer.resources import home_path

    scale = preferences.read_preferences(home_path("settings.toml")).values["scale"]
    os.environ.setdefault("QT_SCALE_FACTOR", str(int(scale) / 100))


def _speak(application: QApplication, chosen: str) -> None:
    """Have our words, Qt's own and the worker's in one language."""
    from PySide6.QtCore import QLocale

    from tumorviewer import language

    named = os.environ.get(language.VARIABLE) or chosen
    language.use_language(
        QLocale.system().uiLanguages()[0][:2] if named == language.SYSTEM else named
    )
    spoken = QLocale(language.current_language())
    QLocale.setDefault(spoken)
    if language.current_language() != "en":
        from tumorviewer.desktop.widgets.qt_words import QtWords

        application.installTranslator(QtWords(spoken, application))


def _settings() -> Settings:
    from tumorviewer.desktop.services.settings import Settings

    return Settings()
