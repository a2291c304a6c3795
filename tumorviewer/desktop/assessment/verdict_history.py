"""Verdicts in words: by whom, when, how sure; and those of before, in a list."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtWidgets import QVBoxLayout, QWidget

from tumorviewer.desktop.services.verdict_controller import VerdictDraft
from tumorviewer.desktop.widgets.controls import make_button, make_label
from tumorviewer.language import later, moment, percent, tr
from tumorviewer.records import Verdict


class VerdictHistory(QWidget):
    """The verdicts of before, the last first; seen when asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._header = make_button("", "link")
        self._header.setCheckable(True)
        self._header.toggled.connect(self._toggle)
        self._text = make_label("", "small")
        self._text.setAccessibleName(tr("Earlier verdicts"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._header)
        layout.addWidget(self._text)
        self._toggle(False)

    def show_verdicts(
        self, history: tuple[Verdict, ...], labels: Mapping[str, str], hide: bool
    ) -> None:
        self.setVisible(len(history) > 1)
        lines = (_history_line(one, tr(labels.get(one.label, one.label)), hide) for one in history)
        self._text.setText("\n".join(lines))
        self._toggle(self._header.isChecked())

    def text(self) -> str:
        return self._text.text()

    def _toggle(self, is_open: bool) -> None:
        self._text.setVisible(is_open)
        title, action = tr("History of verdicts"), tr("hide") if is_open else tr("show")
        self._header.setText(f"{'▾' if is_open else '▸'} {title}")
        self._header.setAccessibleName(f"{title}: {action}")


def describe_author(verdict: Verdict, hide: bool = False) -> str:
    """Who, when, and what they had seen: ``Signed by a, 2026-11-21 13:57, before the …``."""
    by = (
        later("Signed by {reader}, {time}")
        if verdict.signed
        else later("Not signed · by {reader}, {time}")
    )
    order = (
        later("before the model's answer was shown")
        if verdict.before_answer
        else later("after the model's answer was shown")
    )
    reader = tr("a reader who is hidden") if hide else verdict.reader
    return f"{tr(by, reader=reader, time=moment(verdict.time))}, {tr(order)}"


def _history_line(verdict: Verdict, words: str, hide: bool) -> str:
    said = ", ".join(filter(None, (words, describe_confidence(verdict))))
    comment = f"\n{verdict.comment}" if verdict.comment and not hide else ""
    return f"{said}. {describe_author(verdict, hide)}.{comment}"


def describe_confidence(verdict: Verdict | VerdictDraft) -> str:
    """``90 % sure``; empty where the reader did not say."""
    share = verdict.confidence
    return "" if share is None else tr("{share} sure", share=percent(share))
