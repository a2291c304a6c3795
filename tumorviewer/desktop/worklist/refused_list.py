"""What was brought and is not shown, with reasons that can be read and copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from tumorviewer.desktop.widgets.controls import make_button
from tumorviewer.language import number, tr, trn
from tumorviewer.study.types import Refused


class RefusedList(QWidget):
    """A line that says how many, and opens to say which and why."""

    def __init__(self) -> None:
        super().__init__()
        self._refused: Sequence[Refused] = ()
        self._hides_names = False
        self._header = make_button("", "link")
        self._header.setCheckable(True)
        self._header.toggled.connect(self._toggle)
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setMinimumHeight(140)
        self._text.setAccessibleName(tr("What is not shown, and why"))
        self._copy = make_button(tr("Copy"), "chip", tr("Copy the list of what is not shown"))
        self._copy.clicked.connect(self._copy_text)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        for each in (self._header, self._text, self._copy):
            layout.addWidget(each)
        self.show_refused(())

    def show_refused(self, refused: Sequence[Refused]) -> None:
        """List these; nothing at all is seen where there are none."""
        self._refused = refused
        self.setVisible(bool(refused))
        self._toggle(self._header.isChecked())

    def open(self) -> None:
        """Show the whole list."""
        self._header.setChecked(True)

    def hide_names(self, hide: bool) -> None:
        """Show or hide file names."""
        self._hides_names = hide
        self.show_refused(self._refused)

    def _toggle(self, is_open: bool) -> None:
        self._text.setVisible(is_open)
        self._copy.setVisible(is_open)
        self._text.setPlainText(
            describe_refused(self._refused, self._hides_names) if is_open else ""
        )
        summary = summarise_refused(self._refused)
        self._header.setText(f"{'▾' if is_open else '▸'} {summary}")
        action = tr("hide the list") if is_open else tr("show the list")
        self._header.setAccessibleName(f"{summary}: {action}")

    def _copy_text(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())


def summarise_refused(refused: Sequence[Refused]) -> str:
    """How many are not shown, and how many of those are faults."""
    errors = sum(item.is_error for item in refused)
    count = tr("{n} not shown", n=number(len(refused), ","))
    if not errors or errors == len(refused):
        return count
    words = trn("{n} error", "{n} errors", errors, n=number(errors, ","))
    return f"{count} · {words}"


def describe_refused(
    refused: Sequence[Refused], hide_names: bool = False, most_names: int | None = None
) -> str:
    """Reasons with the things that they hold for, errors first.

    Parameters
    ----------
    hide_names
        Say only how many things each reason holds for.
    most_names
        How many names follow each reason; all of them by default.
    """
    groups: dict[str, list[str]] = {}
    for item in sorted(refused, key=lambda item: not item.is_error):
        reason = f"{item.reason} {item.remedy}".strip()
        groups.setdefault(reason, []).append(item.source)
    most = 0 if hide_names else most_names
    return "\n\n".join(
        "\n".join([reason, *_names(sources, most)]) for reason, sources in groups.items()
    )


def _names(sources: list[str], most: int | None) -> list[str]:
    shown = [f"  • {source}" for source in sources[:most]]
    left = len(sources) - len(shown)
    if left and shown:
        shown.append("  • " + tr("and {n} more", n=number(left, ",")))
    elif left:
        shown.append("  • " + tr("{n} of them", n=number(left, ",")))
    return shown
