"""A window on a worker that the test plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desktop.parts import FakeClient, model_folder
from tumorviewer.study.types import Opened


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path / "home"))


@pytest.fixture
def settings(qapp):
    from tumorviewer.desktop.settings import Settings

    return Settings()


@pytest.fixture
def analyst(qapp):
    from tumorviewer.desktop.analyst import Analyst

    return Analyst(FakeClient, model_folder)


@pytest.fixture
def client(analyst) -> FakeClient:
    return analyst._client


@pytest.fixture
def on_disk(monkeypatch) -> dict[Path, Opened]:
    """What opening a path answers."""
    answers: dict[Path, Opened] = {}

    def open_paths(paths, progress=None):
        studies, refused = (), ()
        for path in paths:
            opened = answers[Path(path)]
            studies, refused = studies + opened.studies, refused + opened.refused
        return Opened(studies, refused)

    monkeypatch.setattr("tumorviewer.study.open_paths", open_paths, raising=False)
    return answers


@pytest.fixture
def window(qtbot, analyst, settings):
    from tumorviewer.desktop import theme
    from tumorviewer.desktop.window import MainWindow

    theme.apply(settings.scheme)
    made = MainWindow(analyst, settings)
    qtbot.addWidget(made)
    made.resize(1366, 768)
    made.show()
    made.activateWindow()
    qtbot.waitExposed(made)
    return made
