"""The sheet of shortcuts: every key by group, to be read, printed, or kept as a PDF file."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtCore import QMarginsF, Qt
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from tumorviewer.desktop.shell.actions import MENUS, TABLE, Actions
from tumorviewer.desktop.viewer.gestures import HINTS
from tumorviewer.desktop.widgets.controls import make_button
from tumorviewer.language import capital, later, tr

Groups = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
_TITLE = later("Keyboard shortcuts of TumorViewer")
_MARGIN_MM = 15
_LINE = "border-bottom: 1px solid #888888"


class KeySheet(QDialog):
    """Every key that does something now."""

    def __init__(self, parent: QWidget, actions: Actions) -> None:
        super().__init__(parent)
        self._groups = group_shortcuts(actions)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        self.resize(600, 600)
        text = QTextBrowser()
        text.setHtml(render_html(self._groups))
        text.setAccessibleName(tr(_TITLE))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        for words, slot in ((tr("Print…"), self._print), (tr("Save as PDF…"), self._save)):
            made = make_button(words)
            made.clicked.connect(slot)
            buttons.addButton(made, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.addWidget(text)
        layout.addWidget(buttons)

    def _print(self) -> None:
        from PySide6.QtPrintSupport import QPrintDialog, QPrinter

        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        if QPrintDialog(printer, self).exec():
            _on_paper(self._groups).print_(printer)

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, tr("Save as PDF"), "shortcuts.pdf", "PDF (*.pdf)"
        )
        if path:
            save_pdf(self._groups, Path(path))


def group_shortcuts(actions: Actions) -> Groups:
    """What each menu and the mouse can do, with its key."""
    made = []
    for menu in MENUS:
        entries = (entry for entry in TABLE if entry.top_menu == menu)
        rows = ((entry.title, actions.keys_text(entry.name)) for entry in entries)
        made.append((tr(menu), tuple(row for row in rows if row[1])))
    hints = ((capital(what), how) for how, _, what in (tr(hint).partition(": ") for hint in HINTS))
    return (*made, (tr("In the image"), tuple(hints)))


def save_pdf(shown: Groups, file: Path) -> None:
    """Write the sheet on A4 pages."""
    writer = QPdfWriter(str(file))
    writer.setTitle(tr(_TITLE))
    writer.setPageSize(QPageSize(QPageSize.PageSizeId.A4))
    margins = QMarginsF(*(_MARGIN_MM,) * 4)
    writer.setPageMargins(margins, QPageLayout.Unit.Millimeter)
    _on_paper(shown).print_(writer)


def render_html(shown: Groups) -> str:
    """The sheet as a page, in the colours of the paper or window that it is on."""
    parts = []
    for title, rows in shown:
        parts.append(f"<h3>{escape(title)}</h3><table width='100%' cellpadding='3'>")
        for what, key in rows:
            parts.append(
                f"<tr><td width='58%' style='{_LINE}'>{escape(what)}</td>"
                f"<td style='{_LINE}'><b>{escape(key)}</b></td></tr>"
            )
        parts.append("</table>")
    return "".join(parts)


def _on_paper(shown: Groups) -> QTextDocument:
    document = QTextDocument()
    document.setHtml(f"<h2>{tr(_TITLE)}</h2>{render_html(shown)}")
    return document
