"""What the window remembers from one start to the next."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from tumorviewer.desktop.recent import Recent
from tumorviewer.desktop.theme import Scheme
from tumorviewer.resources import home

_MAX_RECENT = 8


class Settings:
    """A readable file in the user's own folder, which only the user can enter.

    Parameters
    ----------
    file
        Where it is kept; ``window.ini`` in the user's folder by default.
    """

    def __init__(self, file: Path | None = None) -> None:
        file = file or home("window.ini")
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        self._store = QSettings(str(file), QSettings.Format.IniFormat)

    @property
    def scheme(self) -> Scheme:
        try:
            return Scheme(self._store.value("scheme", Scheme.DARK.value))
        except ValueError:
            return Scheme.DARK

    @scheme.setter
    def scheme(self, scheme: Scheme) -> None:
        self._store.setValue("scheme", scheme.value)

    @property
    def verdict_first(self) -> bool:
        """Whether the reader's verdict is asked for before the model's answer is shown."""
        return bool(self._store.value("verdict_first", False, type=bool))

    @verdict_first.setter
    def verdict_first(self, first: bool) -> None:
        self._store.setValue("verdict_first", first)

    def layout(self, name: str) -> QByteArray:
        """Size and place of a window or splitter, as Qt's own ``save…`` methods give it."""
        value = self._store.value(f"layout/{name}")
        return value if isinstance(value, QByteArray) else QByteArray()

    def set_layout(self, name: str, layout: QByteArray) -> None:
        self._store.setValue(f"layout/{name}", layout)

    def recent(self) -> tuple[Recent, ...]:
        """What was opened, the latest first; it may be gone by now."""
        try:
            stored = json.loads(str(self._store.value("recent", "[]")))
            return tuple(Recent(str(item["title"]), tuple(item["paths"])) for item in stored)
        except (ValueError, TypeError, KeyError):
            return ()

    def remember(self, entry: Recent) -> None:
        """Put an entry before all others."""
        others = [other for other in self.recent() if other.paths != entry.paths]
        self._store_recent([entry, *others][:_MAX_RECENT])

    def forget_recent(self) -> None:
        self._store_recent([])

    def _store_recent(self, entries: list[Recent]) -> None:
        plain = [{"title": entry.title, "paths": list(entry.paths)} for entry in entries]
        self._store.setValue("recent", json.dumps(plain))
