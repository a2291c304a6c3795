"""A window on a worker that the test plays."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

from tests.desktop.parts import LABELS, FakeClient, model_folder, pump
from tests.records.made import slice_file
from tumorviewer.records import Records
from tumorviewer.resources import resource_path
from tumorviewer.study import open_paths
from tumorviewer.study.types import Opened

PATIENCE_MS = 60_000
"""What a busy machine may take; what a test waits for comes long before on an idle one."""


@pytest.fixture
def qtbot(qtbot):
    """Waits for what happens, however long that takes here."""
    for name in ("waitUntil", "waitSignal", "waitExposed", "waitActive", "waitCallback"):
        setattr(qtbot, name, partial(getattr(qtbot, name), timeout=PATIENCE_MS))
    return qtbot


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("TUMORVIEWER_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True)
def _no_map_is_checked_by_itself(monkeypatch):
    """The check of a map would be a request that comes by the clock; its own tests ask for it."""
    monkeypatch.setattr("tumorviewer.desktop.viewer.map_check_controller.REST_MS", 24 * 3_600_000)


@pytest.fixture
def settings(qapp):
    from tumorviewer.desktop.services.settings import Settings

    return Settings()


@pytest.fixture
def inference(qapp):
    from tumorviewer.desktop.services.inference import InferenceController

    return InferenceController(FakeClient, model_folder)


@pytest.fixture
def client(inference) -> FakeClient:
    return inference._client


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
def window(qtbot, inference, settings):
    from tumorviewer.desktop.shell.window import MainWindow
    from tumorviewer.desktop.widgets import theme

    theme.apply_theme(settings.scheme)
    made = MainWindow(inference, settings)
    qtbot.addWidget(made)
    made.resize(1366, 768)
    made.show()
    made.activateWindow()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def played(tmp_path, monkeypatch, random_bundle):
    """Where the test tells the played trainer what to do."""
    from tumorviewer.desktop.training import job as jobs

    folder = tmp_path / "played"
    folder.mkdir()
    monkeypatch.setenv("PLAYED", str(folder))
    monkeypatch.setenv("PLAYED_BUNDLE", str(random_bundle))
    monkeypatch.setenv("PLAYED_MODELS", str(resource_path("models")))
    script = str(Path(__file__).with_name("played_trainer.py"))
    monkeypatch.setattr(jobs, "make_trainer_command", lambda: [sys.executable, "-S", script])
    return folder


@pytest.fixture
def read_studies(tmp_path):
    """Four studies of one slice with verdicts, and one without."""
    with Records(reader="reader") as records:
        for number in range(5):
            folder = tmp_path / "studies" / str(number)
            slice_file(
                folder / "0.dcm", number, PatientName=f"Doe^{number}", PatientID=f"P{number}",
                StudyInstanceUID=f"1.2.{number}", SeriesInstanceUID=f"1.2.{number}.4",
            )  # fmt: skip
            (study,) = open_paths([folder]).studies
            entry = records.worklist.add(study)
            if number < 4:
                label = ("glioma", "notumor")[number % 2]
                records.verdicts.give(entry.id, label, before_answer=True, signed=number < 2)


@pytest.fixture
def opened_room(qtbot, window, client, monkeypatch):
    """The reading room of a window whose records are open."""
    monkeypatch.setattr("tumorviewer.desktop.shell.reading_room._labels", lambda _: LABELS)
    client.ready()
    window.room.start()
    qtbot.waitUntil(lambda: window.room.executor.is_open)
    pump(qtbot, window.room)
    yield window.room
    window.room.close_records()


@pytest.fixture
def room(qtbot, played, opened_room):
    """The reading room, and a trainer that is played."""
    from tumorviewer.desktop.training.run_store import RunStore

    yield opened_room
    (played / "hold").unlink(missing_ok=True)
    for run in RunStore().running():
        run.fit.stop(at_once=True)
        qtbot.waitUntil(lambda run=run: not run.fit.is_running())
    opened_room.close_records()
    from tumorviewer.desktop.training import job as jobs

    for child in jobs._running.values():
        child.wait(10)


@pytest.fixture
def workspace(room):
    """Of training."""
    return room.training.workspace
