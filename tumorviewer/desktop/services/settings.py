"""What the window remembers from one start to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from tumorviewer.desktop.services import preferences
from tumorviewer.desktop.services.preferences import Scheme, Value
from tumorviewer.language import tr
from tumorviewer.resources import home_path


@dataclass(frozen=True)
class RecentEntry:
    """Paths that were opened together."""

    title: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> RecentEntry:
        """An entry with a title made from the paths themselves."""
        absolute = tuple(str(path.absolute()) for path in paths)
        more = tr(" and {n} more", n=len(paths) - 1) if len(paths) > 1 else ""
        return cls(Path(absolute[0]).name + more, absolute)


_MAX_RECENT = 8


class Settings(QObject):
    """Two files in the user's own folder, which only the user can enter: what was chosen, to be
    read by people (``settings.toml``), and where windows stood (``window.ini`` beside it).

    Parameters
    ----------
    file
        Where choices are kept; ``settings.toml`` in the user's folder by default.
    """

    changed = Signal(str)
    """Name of the option that has another value."""
    recent_changed = Signal()

    def __init__(self, file: Path | None = None) -> None:
        super().__init__()
        self.file = file or home_path("settings.toml")
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        places = self.file.with_name("window.ini")
        places.touch(mode=0o600)
        self._store = QSettings(str(places), QSettings.Format.IniFormat)
        self._chosen = preferences.read_preferences(self.file)

    @property
    def problems(self) -> tuple[str, ...]:
        """What the file said that was not understood when it was last read."""
        return self._chosen.problems

    def __getitem__(self, name: str) -> Value:
        return self._chosen.values[name]

    def choose(self, name: str, value: Value) -> None:
        """Keep a choice, and say so if it is another one."""
        if self[name] != value:
            self._chosen = preferences.read_preferences(
                self.file
            )  # another window may have written
            self._chosen.values[name] = value
            preferences.write_preferences(self.file, self._chosen)
            self.changed.emit(name)

    def choose_defaults(self) -> None:
        """Have every option as it comes with the program; keys stay."""
        for option in preferences.OPTIONS:
            self.choose(option.name, option.default)

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """Keys of the actions that have others than they come with."""
        return dict(self._chosen.keys)

    def choose_keys(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        """Keep keys that differ."""
        self._chosen = preferences.read_preferences(self.file)
        self._chosen.keys = dict(keys)
        preferences.write_preferences(self.file, self._chosen)

    @property
    def scheme(self) -> Scheme:
        return Scheme(self["colours"])

    @scheme.setter
    def scheme(self, scheme: Scheme) -> None:
        self.choose("colours", scheme.value)

    @property
    def verdict_first(self) -> bool:
        """Whether the reader's verdict is asked for before the model's answer is shown."""
        return bool(self["verdict_first"])

    @verdict_first.setter
    def verdict_first(self, first: bool) -> None:
        self.choose("verdict_first", first)

    def layout(self, name: str) -> QByteArray:
        """Size and place of a window or splitter, as Qt's own ``save…`` methods give it."""
        value = self._store.value(f"layout/{name}")
        return value if isinstance(value, QByteArray) else QByteArray()

    def set_layout(self, name: str, layout: QByteArray) -> None:
        self._store.setValue(f"layout/{name}", layout)

    def recent(self) -> tuple[RecentEntry, ...]:
        """What was opened, the latest first; it may be gone by now."""
        try:
            stored = json.loads(str(self._store.value("recent", "[]")))
            return tuple(RecentEntry(str(item["title"]), tuple(item["paths"])) for item in stored)
        except (ValueError, TypeError, KeyError):
            return ()

    def remember(self, entry: RecentEntry) -> None:
        """Put an entry before all others."""
        others = [other for other in self.recent() if other.paths != entry.paths]
        self._store_recent([entry, *others][:_MAX_RECENT])

    def forget_recent(self) -> None:
        self._store_recent([])

    def _store_recent(self, entries: list[RecentEntry]) -> None:
        plain = [{"title": entry.title, "paths": list(entry.paths)} for entry in entries]
        self._store.setValue("recent", json.dumps(plain))
        self._store.sync()  # whatever becomes of this process
        self.recent_changed.emit()
