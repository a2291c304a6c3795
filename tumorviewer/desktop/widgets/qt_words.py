"""Qt's own words in the language of the window."""

from __future__ import annotations

from PySide6.QtCore import QLibraryInfo, QLocale, QObject, QTranslator

_ARROWS = ("Space", "Up", "Down", "Left", "Right")
"""Keys without a word on them."""


class QtWords(QTranslator):
    """Buttons of dialogs and the like; keys are called what stands on them, ``Ctrl`` and ``Del``.

    Parameters
    ----------
    spoken
        The language.
    """

    def __init__(self, spoken: QLocale, parent: QObject) -> None:
        super().__init__(parent)
        folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        self.load(spoken, "qtbase", "_", folder)

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str | None:
        """As Qt asks for a text; an empty one is not known."""
        if context == "QShortcut" and source not in _ARROWS:
            return source
        return super().translate(context, source, disambiguation, n)
