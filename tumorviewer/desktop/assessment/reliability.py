"""Whether a model's probabilities mean what they say: its reliability diagram, and it in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QSizePolicy, QVBoxLayout, QWidget

from tumorviewer.analysis.finding import Finding
from tumorviewer.desktop.widgets import theme
from tumorviewer.desktop.widgets.controls import make_label
from tumorviewer.errors import InputError
from tumorviewer.language import later, number, percent, tr
from tumorviewer.models import ModelCard, bundle
from tumorviewer.models.trust_measures import Bin, Calibration, Measured, Trust

NOT_MEASURED = later("Nobody measured how far this model's probabilities may be believed.")
OTHER_MODEL = later("Another model is in use by now than the one that gave this answer.")
KEY = later(
    "Points: calibrated, with 95 % intervals; open where there are fewer than {few} pictures. "
    "Crosses: before calibration. Bars: share of the pictures. On the broken line a probability "
    "means what it says."
)
FEW = 10
"""Pictures in a bin below which its point is drawn open."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 42
_DOT = 4.0
_BESIDE = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def make_reliability_dialog(
    parent: QWidget, find_model: Callable[[], Path], finding: Finding
) -> QDialog:
    """What was measured of the model that gave an answer."""
    made = QDialog(parent)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    made.setWindowTitle(tr("How reliable is {model}?", model=finding.model.name))
    layout = QVBoxLayout(made)
    layout.setContentsMargins(16, 16, 16, 16)
    layout.setSpacing(12)
    for part in _parts(find_model, finding):
        layout.addWidget(part)
    layout.addStretch(1)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(made.reject)
    layout.addWidget(buttons)
    made.resize(560, made.sizeHint().height())
    return made


def _parts(find_model: Callable[[], Path], finding: Finding) -> Iterator[QWidget]:
    try:
        card = bundle.read_card(find_model())
    except InputError as error:
        yield make_label(error.message, "error")
        return
    if card.weights.sha256 != finding.model.sha256:
        yield make_label(tr(OTHER_MODEL), "warning")
    elif card.trust is None or card.trust.calibration is None:
        yield make_label(tr(NOT_MEASURED), "warning")
    else:
        diagram = ReliabilityDiagram()
        diagram.show_calibration(card.trust.calibration)
        yield make_label(_tried(card, card.trust))
        yield diagram
        yield make_label(tr(KEY, few=FEW), "small")
        yield from map(make_label, describe_reliability(card.trust))


def _tried(card: ModelCard, trust: Trust) -> str:
    return tr(
        "{model} {version} was tried on {items} pictures in {groups} groups that it had not "
        "learned from; each group by what the others say.",
        model=card.name,
        version=card.version,
        items=number(trust.items, ","),
        groups=number(trust.groups, ","),
    )


def describe_reliability(trust: Trust) -> Iterator[str]:
    """What the diagram shows, and what else was measured of the answers, a sentence each."""
    if trust.calibration is not None:
        yield tr(
            "A probability is off by {after} on average ({low} to {high}); without calibration "
            "by {before}.",
            before=percent(trust.calibration.before["ece"].value, 1),
            **_interval("after", trust.calibration.after["ece"]),
        )
    if trust.abstention is not None:
        yield tr(
            "It names a class for {share} of the pictures and is then right in {accuracy} ({low} "
            "to {high}); if it always named one, in {all}.",
            share=percent(trust.abstention.answered.value, 1),
            all=percent(trust.abstention.accuracy_of_all.value, 1),
            **_interval("accuracy", trust.abstention.accuracy),
        )
    for level in trust.sets.levels if trust.sets else ():
        yield tr(
            "Of the sets that are to hold the true class in {promise}, {coverage} did ({low} to "
            "{high}).",
            promise=percent(level.promise),
            **_interval("coverage", level.coverage),
        )
    if trust.pooling is not None:
        yield tr(
            "Of {n} sets of pictures that stand in for volumes it was right in {right} ({low} to "
            "{high}), and said {said} on average: volumes are not calibrated.",
            n=trust.pooling.series,
            said=percent(trust.pooling.said.value, 1),
            **_interval("right", trust.pooling.right),
        )


def _interval(name: str, measured: Measured) -> dict[str, str]:
    return {
        name: percent(measured.value, 1),
        "low": percent(measured.low, 1),
        "high": percent(measured.high, 1),
    }


class ReliabilityDiagram(QWidget):
    """How often the model was right, by the probability that it gave, calibrated and before; a
    bar under each point is the share of the pictures that it stands for."""

    def __init__(self) -> None:
        super().__init__()
        self._bins: tuple[Bin, ...] = ()
        self._before: tuple[Bin, ...] = ()
        self.setAccessibleName(tr("Reliability diagram"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_calibration(self, calibration: Calibration) -> None:
        self._bins, self._before = calibration.bins_after, calibration.bins_before
        spoken = (
            tr(
                "said {said}, right {right} of {n}",
                said=percent(one.probability),
                right=percent(one.accuracy.value),
                n=one.count,
            )
            for one in self._bins
        )
        self.setAccessibleDescription(", ".join(spoken))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(480, 340)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 260)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(9)
        painter.setFont(font)
        inside = QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)
        self._paint_axes(painter, inside)
        total = sum(one.count for one in self._bins)
        painter.setPen(QPen(QColor(theme.current_colours().secondary), 1.5))
        for one in self._before:
            _cross(painter, _place(inside, one.probability, one.accuracy.value))
        for one in self._bins:
            self._paint_bin(painter, inside, one, one.count / total)

    def _paint_axes(self, painter: QPainter, inside: QRectF) -> None:
        colours = theme.current_colours()
        for step in range(0, 101, 20):
            share = step / 100
            at = _place(inside, share, share)
            painter.setPen(QColor(colours.border))
            painter.drawLine(QPointF(inside.left(), at.y()), QPointF(inside.right(), at.y()))
            painter.setPen(QColor(colours.secondary))
            left = QRectF(0, at.y() - 9, _LEFT - 8, 18)
            painter.drawText(left, _BESIDE, percent(share))
            below = QRectF(at.x() - 30, inside.bottom() + 4, 60, 16)
            if step < 100:
                painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, percent(share))
            else:
                below.moveRight(inside.right() + _RIGHT)
                painter.drawText(below, Qt.AlignmentFlag.AlignRight, percent(share))
        painter.drawText(QRectF(0, 0, self.width(), _TOP - 8), tr("Share that was right"))
        foot = QRectF(inside.left(), inside.bottom() + 22, inside.width(), 18)
        painter.drawText(
            foot, Qt.AlignmentFlag.AlignHCenter, tr("Probability of the predicted class")
        )
        painter.setPen(QPen(QColor(colours.secondary), 1, Qt.PenStyle.DashLine))
        painter.drawLine(_place(inside, 0, 0), _place(inside, 1, 1))

    def _paint_bin(self, painter: QPainter, inside: QRectF, one: Bin, share: float) -> None:
        colours = theme.current_colours()
        at = _place(inside, one.probability, one.accuracy.value)
        floor = _place(inside, one.probability, 0)
        bar = QRectF(floor.x() - 6, floor.y(), 12, -inside.height() * share).normalized()
        painter.fillRect(bar, QColor(colours.track))
        painter.setPen(QPen(QColor(colours.accent), 1.5))
        low = _place(inside, one.probability, one.accuracy.low)
        high = _place(inside, one.probability, one.accuracy.high)
        painter.drawLine(low, high)
        painter.setBrush(QColor(colours.window if one.count < FEW else colours.accent))
        painter.drawEllipse(at, _DOT, _DOT)


def _cross(painter: QPainter, at: QPointF) -> None:
    across, down = QPointF(_DOT, _DOT), QPointF(_DOT, -_DOT)
    painter.drawLine(at - across, at + across)
    painter.drawLine(at - down, at + down)


def _place(inside: QRectF, probability: float, share: float) -> QPointF:
    return QPointF(
        inside.left() + inside.width() * probability, inside.bottom() - inside.height() * share
    )
