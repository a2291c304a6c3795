"""Marks as their user meets them: drawn with the mouse, dragged, undone, listed, copied, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from tests.desktop.parts import Source, series, study
from tumorviewer.study.types import Opened, Placement, Volume

SCAN = Path("/scans/one")
LEFT, NO_KEY = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def phantom() -> Volume:
    """64 × 64 pixels of 0.5 × 2 mm (columns, rows), 9 slices 3 mm apart; values are 100 × row."""
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([(0, 0, 3), (0, 2, 0), (0.5, 0, 0)])
    array = np.broadcast_to(np.arange(64, dtype=np.int16)[:, None] * 100, (9, 64, 64)).copy()
    return Volume(array, affine, Placement.PATIENT, "phantom", "1.2.3")


class Scan(Source):
    """Loads the very volume that it was given."""

    def load(self, progress=None):
        if progress is not None:
            for index in range(len(self.volume.array)):
                progress(self.volume, index)
        return self.volume


@pytest.fixture
def opened(qtbot, window, client, on_disk):
    on_disk[SCAN] = Opened((study(series(Scan(phantom()))),), ())
    window.open([SCAN])
    qtbot.waitUntil(lambda: window.viewer.state.is_complete and window.viewer.state.count == 9)
    return window


def at(viewport, row: float, column: float) -> QPoint:
    """Where the centre of a pixel is on the screen."""
    return viewport.transform().map(QPointF(column + 0.5, row + 0.5)).toPoint()


def drag(viewport, *places: QPoint) -> None:
    QTest.mouseMove(viewport, places[0])
    QTest.mousePress(viewport, LEFT, NO_KEY, places[0])
    for place in places[1:]:
        QTest.mouseMove(viewport, place)
    QTest.mouseRelease(viewport, LEFT, NO_KEY, places[-1])


def marks(window):
    return window.marking.book.marks()


def test_a_distance_is_measured_listed_and_undone(opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_D)
    drag(image, at(image, 10, 10), at(image, 25, 50))
    (mark,) = marks(opened)
    assert mark.values["length"] == pytest.approx(np.hypot(30, 20), abs=0.5)
    item = opened.marking.panel.list.item(0).text()
    assert item == f"Distance\n{mark.values['length']:.1f} mm"
    assert opened.viewer.slice() == 4  # the drag did not scroll
    QTest.keyClick(opened, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert marks(opened) == []
    assert opened.marking.panel.list.count() == 0
    QTest.keyClick(opened, Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert marks(opened) == [mark]
