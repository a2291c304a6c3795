"""A picture of the window with its answer, taken where there is no screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from tumorviewer.desktop.services.inference import InferencePhase, InferenceState
from tumorviewer.desktop.shell.app import make_application, make_window
from tumorviewer.errors import InputError
from tumorviewer.files import replace_atomically
from tumorviewer.language import tr

SIZE = 1440, 900
_WAITING = (InferencePhase.IDLE, InferencePhase.WORKING)
_SETTLING_MS = 5000
"""After the answer: its panel is laid out, and the map checked."""


def save_portrait(paths: Sequence[Path], file: Path, patience_s: float = 300) -> None:
    """Open paths, wait for the model's answer, and save the window as PNG.

    Raises
    ------
    InputError
        If no answer comes; the picture is saved all the same.
    """
    _application = make_application()
    window = make_window()
    window.resize(*SIZE)
    inference = window.reading.inference
    loop = QEventLoop()
    settled = QTimer(singleShot=True, interval=_SETTLING_MS)
    settled.timeout.connect(loop.quit)

    def settle(state: InferenceState) -> None:
        if state.phase in _WAITING:
            settled.stop()
        elif not settled.isActive():
            settled.start()

    inference.changed.connect(settle)
    QTimer.singleShot(round(patience_s * 1000), loop.quit)
    window.show()
    window.open(list(paths))
    loop.exec()
    state: InferenceState = inference.state
    with replace_atomically(file) as beside:
        window.grab().save(str(beside))
    window.close()
    if state.phase is not InferencePhase.ANSWERED:
        raise InputError(str(file), tr("The model did not answer: {text}", text=state.text))
