"""The answer itself: a class, the classes that remain possible, or why none is named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.services.reading import Snapshot
from tumorviewer.desktop.widgets.bars import Bar, ProbabilityBars, format_percent
from tumorviewer.desktop.widgets.controls import (
    clear_layout,
    format_tip,
    make_button,
    make_heading,
    make_label,
)
from tumorviewer.desktop.widgets.theme import set_role
from tumorviewer.export.wording import describe_variation, join_names
from tumorviewer.language import later, tr
from tumorviewer.language import percent as rounded

NONE_NAMED = later("No class is named")
OUTSIDE = later("This does not look like what the model was made for.")
INSISTED = later("Shown because you asked: this does not look like what the model was made for.")
SETS_TIP = later(
    "Sets of classes that hold the true one as often as promised, in pictures like those that the "
    "model was tried on. None: no class is as probable as it usually is."
)
VARY_TIP = later(
    "Asks again about the shown slice: mirrored, shifted, brighter and darker. An answer that such "
    "changes turn around is not to be relied on."
)
_MAX_KEY_SLICES, _KEY_COLUMNS = 6, 3
_CLEAR = 0.6
"""Below this probability the runner-up is named beside the predicted class."""


class Answer(QWidget):
    """What is named, all probabilities, flags and deciding slices."""

    slice_wanted = Signal(int)
    variation_wanted = Signal()
    insisted = Signal()
    """Show it although it is not the model's kind of image."""

    def __init__(self) -> None:
        super().__init__()
        self._snapshot = Snapshot()
        self._probabilities: NDArray[np.float64] | None = None
        """Those shown last: other maps of the same answer hold the same array."""
        self._class = make_label("", "title")
        self._class.setAccessibleName(tr("Answer"))
        self._scope = make_label("", "secondary")
        self._insist = make_button(tr("Show anyway"))
        self._insist.clicked.connect(self.insisted)
        self._bars = ProbabilityBars()
        self._sets = make_label("", "small")
        self._sets.setToolTip(format_tip(tr(SETS_TIP)))
        self._vary = make_button(tr("Try small changes"), "link")
        self._vary.setToolTip(format_tip(tr(VARY_TIP)))
        self._vary.clicked.connect(self.variation_wanted)
        self._variation = make_label("", "small")
        self._slice = make_label("", "small")
        self._flags = QVBoxLayout()
        self._flags.setSpacing(4)
        self._key_slices = QGridLayout()
        self._key_slices.setSpacing(4)
        for column in range(_KEY_COLUMNS):
            self._key_slices.setColumnStretch(column, 1)
        self._key_heading = make_heading(tr("Deciding slices"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        for part in (self._class, self._scope):
            layout.addWidget(part)
        layout.addLayout(self._flags)
        layout.addWidget(self._insist)
        layout.addSpacing(4)
        layout.addWidget(self._bars)
        layout.addWidget(self._sets)
        layout.addWidget(self._vary, 0, Qt.AlignmentFlag.AlignLeft)
        for part in (self._variation, self._slice, self._key_heading):
            layout.addWidget(part)
        layout.addLayout(self._key_slices)

    def show_snapshot(self, snapshot: Snapshot, *, insisted: bool = False) -> None:
        """Show an answer; one outside the model's kind only if the reader `insisted`."""
        finding = snapshot.finding
        assert finding is not None
        is_other = finding.probabilities is not self._probabilities
        self._snapshot, self._probabilities = snapshot, finding.probabilities
        if is_other:
            self.show_variation(
                describe_variation(finding, finding.variation) if finding.variation else ""
            )
        hides = finding.is_outside and not insisted
        self._class.setText(tr(NONE_NAMED) if hides else name_answer(finding))
        self._scope.setText("" if hides else _scope(finding))
        self._show_flags(_remarks(finding, insisted))
        self._bars.set_bars(_bars(finding))
        self._sets.setText(describe_prediction_sets(finding))
        several = len(finding.slices) > 1
        for part, is_shown in (
            (self._scope, not hides),
            (self._insist, hides),
            (self._bars, not hides),
            (self._sets, not hides and bool(finding.sets)),
            (self._vary, not hides),
            (self._variation, not hides and bool(self._variation.text())),
            (self._slice, not hides and several),
            (self._key_heading, not hides and several),
        ):
            part.setVisible(is_shown)
        self._show_key_slices(finding, finding.key_slices if several and not hides else ())

    def set_leading(self, leads: bool) -> None:
        """Whether this is the first thing to be read, or stands below the study's answer."""
        set_role(self._class, "title" if leads else "subtitle")

    def show_variation(self, text: str) -> None:
        """Say what small changes did; nothing for that they were not tried."""
        self._variation.setText(text)
        self._variation.setVisible(bool(text))

    def forget(self) -> None:
        """Let go of what was read: it may be closed."""
        self._snapshot = Snapshot()

    def show_slice(self, snapshot: Snapshot) -> None:
        """Say what the model finds on the slice that is shown."""
        finding = self._snapshot.finding
        self._slice.setText("" if finding is None else _slice_words(finding, snapshot.slice))

    def _show_flags(self, flags: Sequence[str]) -> None:
        clear_layout(self._flags)
        for flag in flags:
            self._flags.addWidget(make_label(flag, "warning"))

    def _show_key_slices(self, finding: Finding, slices: Sequence[int]) -> None:
        clear_layout(self._key_slices)
        for at, index in enumerate(slices[:_MAX_KEY_SLICES]):
            made = make_button(
                tr("Slice {n}", n=index + 1), "chip", tr("Show deciding slice {n}", n=index + 1)
            )
            made.setToolTip(_slice_words(finding, index))
            made.clicked.connect(lambda _=False, to=index: self.slice_wanted.emit(to))
            self._key_slices.addWidget(made, at // _KEY_COLUMNS, at % _KEY_COLUMNS)


def name_answer(finding: Finding) -> str:
    """The class, the classes that remain possible, or that none is named."""
    if not finding.abstains:
        return tr(finding.labels[finding.predicted_class])
    return _alternatives(finding, finding.candidates) or tr(NONE_NAMED)


def describe_prediction_sets(finding: Finding) -> str:
    """The prediction sets: ``At 90 %, 95 %: Glioma. At 99 %: Glioma or meningioma.``"""
    promises: dict[tuple[str, ...], list[str]] = {}
    for one in finding.sets:
        promises.setdefault(one.classes, []).append(rounded(one.promise))
    return " ".join(
        tr(
            "At {promises}: {names}.",
            promises=", ".join(shares),
            names=_alternatives(finding, classes) or tr("none"),
        )
        for classes, shares in promises.items()
    )


def _alternatives(finding: Finding, classes: Sequence[str]) -> str:
    """Their labels, ``Glioma or meningioma``; those in capitals stay so."""
    first, *others = [tr(finding.labels[name]) for name in classes] or [""]
    small = (name[:1].lower() + name[1:] if name[1:2].islower() else name for name in others)
    return join_names([first, *small])


def _remarks(finding: Finding, insisted: bool) -> tuple[str, ...]:
    """What must be known of the answer; of one that is not shown, only why."""
    kind = finding.ood
    reasons = kind.reasons if kind is not None else ()
    if finding.is_outside:
        reasons = (tr(INSISTED if insisted else OUTSIDE), *reasons)
        if not insisted:
            return reasons
    return (*reasons, *filter(None, (finding.abstains,)), *finding.flags)


def _bars(finding: Finding) -> tuple[Bar, ...]:
    return tuple(
        Bar(tr(finding.labels[name]), float(probability), name == finding.predicted_class)
        for name, probability in zip(finding.classes, finding.probabilities, strict=True)
    )


def _scope(finding: Finding) -> str:
    probability = format_percent(float(finding.probabilities.max()))
    judged = len(finding.slices)
    if judged > 1:
        said = tr("{share} for the volume, from {n} slices", share=probability, n=judged)
    else:
        said = tr("{share} for this picture", share=probability)
    if finding.abstains:
        name = tr(finding.labels[finding.predicted_class])
        return tr("Most probable: {name}, {said}", name=name, said=said)
    return said + _runner_up(finding)


def _runner_up(finding: Finding) -> str:
    if finding.probabilities.max() >= _CLEAR or len(finding.classes) < 2:
        return ""
    second = int(finding.probabilities.argsort()[-2])
    share = format_percent(float(finding.probabilities[second]))
    name = tr(finding.labels[finding.classes[second]])
    return tr(". Not clear: {name} has {share}.", name=name, share=share)


def _slice_words(finding: Finding, index: int) -> str:
    """What the model finds on one slice: ``Slice 78: Glioma 99.0 %``."""
    if index not in finding.slices:
        return tr("Slice {n}: not judged", n=index + 1)
    probabilities = finding.slice_probabilities[finding.slices.index(index)]
    name = finding.classes[int(probabilities.argmax())]
    share = format_percent(float(probabilities.max()))
    return tr("Slice {n}: {name} {share}", n=index + 1, name=tr(finding.labels[name]), share=share)
