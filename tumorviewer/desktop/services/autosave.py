"""The state of the window, kept so that it comes back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from tumorviewer.desktop.services.records_executor import RecordsExecutor

if TYPE_CHECKING:
    from tumorviewer.records import Records
    from tumorviewer.records.session import WindowState

_PAUSE_MS = 250
"""At most so much is lost."""


class Autosave(QObject):
    """Claims the state of a window that was killed, or of a new one.

    Parameters
    ----------
    describe
        The window as a document of plain JSON.
    """

    found = Signal(dict)
    """The document of a window that did not end by itself."""

    def __init__(
        self,
        executor: RecordsExecutor,
        describe: Callable[[], dict[str, Any]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._executor = executor
        self._describe = describe
        self._state: WindowState | None = None
        self._saved: dict[str, Any] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._save)

    def start(self) -> None:
        """Claim a state as soon as the records are open."""
        self._executor.ask(_claim, self._claimed)

    def touch(self) -> None:
        """Something has changed; it is kept within a moment, however fast more changes follow."""
        if self._state is not None and not self._timer.isActive():
            self._timer.start()

    def end(self) -> None:
        """The window is closed as its user wished: the next one begins anew."""
        self._timer.stop()
        state, self._state = self._state, None
        if state is not None:
            self._executor.ask(lambda _: state.release(forget=True))

    def _claimed(self, state: WindowState) -> None:
        self._state = state
        if state.document is not None:
            self.found.emit(state.document)
        self.touch()

    def _save(self) -> None:
        document = self._describe()
        if self._state is not None and document != self._saved:
            self._saved = document
            self._executor.ask(partial(_keep, self._state, document))


def _claim(records: Records) -> WindowState:
    return records.session.claim()


def _keep(state: WindowState, document: dict[str, Any], _records: Records) -> None:
    state.keep(document)
