"""What is written over an image: outlined text, edge letters, scale bar, cursor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from tumorviewer.desktop.services.reading import Shown
from tumorviewer.imaging.geometry import Edges, choose_scale_bar
from tumorviewer.imaging.sequences import recognise_sequence
from tumorviewer.language import date, number, tr

INK = QColor(238, 238, 238)
OUTLINE = QColor(0, 0, 0, 220)
ACCENT = QColor(255, 214, 102)
MARGIN = 8.0
_LONGEST_TEXT = 300
_EDGE = 2
_OFFSETS = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))


def strip_controls(text: str) -> str:
    """Text from a file on one line, without control or direction-changing characters."""
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST_TEXT])


def draw_text(
    painter: QPainter, box: QRectF, align: Qt.AlignmentFlag, text: str, ink: QColor = INK
) -> None:
    """One line of text, elided to its box, readable on any picture."""
    font, ratio = painter.font(), painter.device().devicePixelRatioF()
    image, width, height = _written(text, box.width(), font.toString(), ink.rgba(), ratio)
    x, y = box.left(), box.top()
    if align & Qt.AlignmentFlag.AlignRight:
        x = box.right() - width
    elif align & Qt.AlignmentFlag.AlignHCenter:
        x = box.center().x() - width / 2
    if align & Qt.AlignmentFlag.AlignBottom:
        y = box.bottom() - height
    elif align & Qt.AlignmentFlag.AlignVCenter:
        y = box.center().y() - height / 2
    painter.drawImage(QPointF(round(x) - _EDGE, round(y) - _EDGE), image)


@lru_cache(maxsize=512)
def _written(
    text: str, room: float, font_text: str, ink: int, ratio: float
) -> tuple[QImage, float, float]:
    """The line with its outline, ``_EDGE`` wide all round, and the size of the line alone."""
    font = QFont()
    font.fromString(font_text)
    metrics = QFontMetricsF(font)
    elided = metrics.elidedText(strip_controls(text), Qt.TextElideMode.ElideRight, room)
    width, height = math.ceil(metrics.horizontalAdvance(elided)), metrics.height()
    size = QSizeF(width + 2 * _EDGE, height + 2 * _EDGE) * ratio
    image = QImage(size.toSize(), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setFont(font)
    base = QPointF(_EDGE, _EDGE + metrics.ascent())
    painter.setPen(OUTLINE)
    for offset in _OFFSETS:
        painter.drawText(base + QPointF(*offset), elided)
    painter.setPen(QColor.fromRgba(ink))
    painter.drawText(base, elided)
    painter.end()
    return image, width, height


CORNER_HEIGHT = 0.15
"""Share of a view's height that the lines of one corner may take,"""
READ_OUT_HEIGHT = 0.3
"""and those of what lies under the pointer, which the reader asked for."""


def draw_corner(
    painter: QPainter,
    area: QRectF,
    align: Qt.AlignmentFlag,
    lines: Sequence[str],
    share: float = 0.44,
    height_share: float = CORNER_HEIGHT,
) -> None:
    """Lines of text in one corner of ``area``, none wider than a share of it, and no more of them
    than leave the middle free: a small view has the first ones only."""
    height = QFontMetricsF(painter.font()).height()
    inside = area.adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
    width = inside.width() * share
    left = inside.left() if align & Qt.AlignmentFlag.AlignLeft else inside.right() - width
    shown = [line for line in lines if line][: max(1, int(height_share * area.height() / height))]
    bottom = align & Qt.AlignmentFlag.AlignBottom
    top = inside.bottom() - height * len(shown) if bottom else inside.top()
    side = align & Qt.AlignmentFlag.AlignHorizontal_Mask
    for at, line in enumerate(shown):
        draw_text(painter, QRectF(left, top + at * height, width, height), side, line)


def draw_edges(painter: QPainter, area: QRectF, edges: Edges) -> None:
    """The letters in the middle of the four edges."""
    font = painter.font()
    large = painter.font()
    large.setBold(True)
    large.setPointSizeF(font.pointSizeF() * 1.25)
    painter.setFont(large)
    inside = area.adjusted(MARGIN, MARGIN / 2, -MARGIN, -MARGIN / 2)
    across, down = Qt.AlignmentFlag.AlignHCenter, Qt.AlignmentFlag.AlignVCenter
    for align, letters in (
        (Qt.AlignmentFlag.AlignLeft | down, edges.left),
        (Qt.AlignmentFlag.AlignRight | down, edges.right),
        (Qt.AlignmentFlag.AlignTop | across, edges.top),
        (Qt.AlignmentFlag.AlignBottom | across, edges.bottom),
    ):
        draw_text(painter, inside, align, letters, ACCENT)
    painter.setFont(font)


def draw_scale_bar(painter: QPainter, area: QRectF, mm_per_unit: float) -> None:
    """A bar of a round length above the bottom edge, at most a fifth of the width."""
    mm = choose_scale_bar(mm_per_unit, area.width() / 5)
    length = mm / mm_per_unit
    height = QFontMetricsF(painter.font()).height()
    y = area.bottom() - MARGIN - 1.6 * height
    left = area.center().x() - length / 2
    ends = QPointF(left, y), QPointF(left + length, y)
    for colour, width in ((OUTLINE, 4.0), (INK, 2.0)):
        painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.SquareCap))
        painter.drawLine(*ends)
        for end in ends:
            painter.drawLine(end - QPointF(0, 4), end)
    text = QRectF(area.center().x() - 80, y - 4 - height, 160, height)
    draw_text(painter, text, Qt.AlignmentFlag.AlignHCenter, tr("{mm} mm", mm=number(mm, "g")))


def draw_cursor(painter: QPainter, at: QPointF) -> None:
    """A small open cross at the point that the pointer shows in another viewport."""
    for colour, width in ((OUTLINE, 3.0), (ACCENT, 1.0)):
        painter.setPen(QPen(colour, width))
        for step in (QPointF(1, 0), QPointF(-1, 0), QPointF(0, 1), QPointF(0, -1)):
            painter.drawLine(at + step * 4, at + step * 12)


def draw_crosshair(painter: QPainter, area: QRectF, at: QPointF) -> None:
    """Lines across the area that leave their crossing open."""
    gap = 14.0
    painter.setPen(QPen(QColor(ACCENT.red(), ACCENT.green(), ACCENT.blue(), 150), 1))
    painter.drawLine(QPointF(area.left(), at.y()), QPointF(at.x() - gap, at.y()))
    painter.drawLine(QPointF(at.x() + gap, at.y()), QPointF(area.right(), at.y()))
    painter.drawLine(QPointF(at.x(), area.top()), QPointF(at.x(), at.y() - gap))
    painter.drawLine(QPointF(at.x(), at.y() + gap), QPointF(at.x(), area.bottom()))


def above_scale_bar(painter: QPainter, area: QRectF, lines: float = 0) -> QRectF:
    """``area`` without what scale bar, bottom letter and ``lines`` of text take."""
    return area.adjusted(0, 0, 0, -QFontMetricsF(painter.font()).height() * (3 + lines))


def draw_remark(painter: QPainter, area: QRectF, text: str) -> None:
    """Words over the lower part of the image, on two lines where they need them."""
    metrics = QFontMetricsF(painter.font())
    box = above_scale_bar(painter, area, 3.5).adjusted(MARGIN, 0, -MARGIN, 0)
    align = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
    for line in reversed(_lines(text, metrics.horizontalAdvance(text) <= box.width())):
        draw_text(painter, box, align, line, ACCENT)
        box.translate(0, -metrics.height())


def _lines(text: str, fits: bool) -> tuple[str, ...]:
    """One, or two of about one length."""
    gaps = [at for at, letter in enumerate(text) if letter == " "]
    if fits or not gaps:
        return (text,)
    middle = min(gaps, key=lambda at: abs(at - len(text) / 2))
    return text[:middle], text[middle + 1 :]


def draw_message(painter: QPainter, area: QRectF, text: str) -> None:
    """Words in the middle of an image area that has nothing to show."""
    width = min(area.width() - 4 * MARGIN, 360.0)
    box = QRectF(area.center().x() - width / 2, area.top(), width, area.height())
    painter.setPen(QColor(190, 190, 190))
    flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
    painter.drawText(box, flags, text)


def describe_patient(shown: Shown) -> tuple[str, ...]:
    """Name, identifier and date; the title of a study that has none of them."""
    study = shown.study
    lines = (study.patient_name, study.patient_id, date(study.date))
    return tuple(line for line in lines if line) or (study.title,)


def describe_series(shown: Shown) -> tuple[str, ...]:
    """Description, modality and recognised sequence."""
    series = shown.series
    title = "" if series.uid is None else series.title
    return tuple(filter(None, (title, series.modality, str(recognise_sequence(series)))))
