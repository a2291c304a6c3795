"""Marks as their user meets them: drawn with the mouse, dragged, undone, listed, copied, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage
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


def draw(window, key: Qt.Key, *places: tuple[float, float], viewport=None):
    """Choose a tool by its key and drag it; the mark that came of it."""
    viewport = viewport or window.viewer.image
    QTest.keyClick(viewport, key)
    drag(viewport, *(at(viewport, *place) for place in places))
    return marks(window)[-1]


def undo(window):
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)


def test_an_ellipse_knows_the_values_under_it(opened):
    mark = draw(opened, Qt.Key.Key_O, (20, 20), (40, 60))
    assert mark.values["area"] == pytest.approx(np.pi * 20 * 10, rel=0.03)
    assert mark.values["mean"] == pytest.approx(3000, abs=60)
    assert (mark.values["minimum"], mark.values["maximum"]) == pytest.approx((2100, 3900), abs=100)
    shown = opened.marking.panel.list.item(0).text()
    assert "Area" in shown
    assert "mm²" in shown
    assert "Mean" in shown


def test_a_rectangle_and_a_freehand_outline(opened):
    square = draw(opened, Qt.Key.Key_Q, (20, 20), (40, 60))
    assert square.values["area"] == pytest.approx(800, rel=0.03)
    outline = draw(opened, Qt.Key.Key_G, (20, 20), (20, 40), (20, 60), (40, 60), (40, 20))
    assert outline.values["area"] == pytest.approx(800, rel=0.03)
    assert outline.values["mean"] == pytest.approx(square.values["mean"], abs=60)


def test_an_angle_by_a_drag_and_a_click_or_by_clicks(opened):
    image = opened.viewer.image
    places = [at(image, 20, 20), at(image, 20, 40), at(image, 25, 40)]
    QTest.keyClick(image, Qt.Key.Key_A)
    drag(image, *places[:2])
    QTest.mouseClick(image, LEFT, NO_KEY, places[2])
    QTest.keyClick(image, Qt.Key.Key_A)
    for place in places:
        QTest.mouseClick(image, LEFT, NO_KEY, place)
    assert [mark.values["angle"] for mark in marks(opened)] == pytest.approx([90, 90], abs=1.5)


def test_diameters_stay_perpendicular_whatever_is_dragged(opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_B)
    drag(image, at(image, 30, 10), at(image, 32, 54))
    drag(image, at(image, 28, 30), at(image, 36, 40))
    (mark,) = marks(opened)
    assert mark.values["longest"] == pytest.approx(np.hypot(22, 4), abs=0.6)
    assert mark.values["product"] == mark.values["longest"] * mark.values["perpendicular"]
    for handle, place in ((0, (26, 8)), (3, (40, 30))):
        ends = np.array(mark.points_mm)
        here = image.transform().map(image.state.from_patient(ends[handle])).toPoint()
        drag(image, here, at(image, *place))
        (changed,) = marks(opened)
        assert changed != mark
        mark = changed
        first, second = np.diff(np.array(mark.points_mm).reshape(2, 2, 3), axis=1)[:, 0]
        assert first @ second == pytest.approx(0, abs=1e-6)
    for _ in range(2):
        undo(opened)
    assert len(marks(opened)) == 1
    undo(opened)
    assert marks(opened) == []


def test_a_mark_is_dragged_by_its_line_and_measured_anew(opened):
    image = opened.viewer.image
    mark = draw(opened, Qt.Key.Key_Q, (10, 10), (20, 30))
    drag(image, at(image, 10, 20), at(image, 30, 20))
    (moved,) = marks(opened)
    assert moved.values["area"] == pytest.approx(mark.values["area"])
    assert moved.values["mean"] == pytest.approx(mark.values["mean"] + 2000, abs=120)
    undo(opened)
    assert marks(opened) == [mark]


def test_without_a_tool_a_drag_beside_a_mark_scrolls(opened):
    draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    drag(opened.viewer.image, at(opened.viewer.image, 30, 30), at(opened.viewer.image, 55, 30))
    assert opened.viewer.slice() != 4
    assert len(marks(opened)) == 1
    assert opened.marking.book.selected is None


def test_escape_ends_what_is_drawn_and_nothing_else(opened, client):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_A)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 10, 10))
    QTest.keyClick(image, Qt.Key.Key_Escape)
    assert not client.cancelled
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 20, 10))
    assert marks(opened) == []
    QTest.keyClick(image, Qt.Key.Key_Escape)
    assert client.cancelled


def test_a_slice_turned_away_from_gives_up_what_is_drawn(opened):
    image = opened.viewer.image
    QTest.keyClick(image, Qt.Key.Key_D)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 10, 10))
    QTest.keyClick(image, Qt.Key.Key_Up)
    QTest.mouseClick(image, LEFT, NO_KEY, at(image, 20, 10))
    assert marks(opened) == []


def test_marks_are_seen_on_their_plane_only_and_jumped_to(opened):
    image = opened.viewer.image
    opened.viewer.set_slice(7)
    without = _ink(image)
    opened.viewer.set_slice(4)
    draw(opened, Qt.Key.Key_D, (10, 10), (10, 50))
    draw(opened, Qt.Key.Key_X, (30, 30))
    assert _ink(image) > without + 100
    opened.viewer.set_slice(7)
    assert _ink(image) == without
    rows = opened.marking.panel.list
    QTest.mouseClick(rows.viewport(), LEFT, NO_KEY, rows.visualItemRect(rows.item(0)).center())
    assert opened.viewer.slice() == 4
    assert opened.marking.book.selected == marks(opened)[0].id
    QTest.keyClick(opened, Qt.Key.Key_N)
    assert opened.marking.book.selected == marks(opened)[1].id
    QTest.keyClick(opened, Qt.Key.Key_Delete)
    assert [mark.type for mark in marks(opened)] == ["distance"]


def _ink(viewport) -> int:
    """Pixels in the colours of marks."""
    shot = viewport.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rgb = np.array(shot.constBits()).reshape(shot.height(), -1)[:, : 3 * shot.width()]
    rgb = rgb.reshape(shot.height(), shot.width(), 3).astype(int)
    return int(((rgb.max(axis=2) - rgb.min(axis=2) > 90) & (rgb[..., 1] > 150)).sum())
