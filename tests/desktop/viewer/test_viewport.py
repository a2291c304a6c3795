"""One slice on the screen: where pixels and letters fall, and what mouse and keys do."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from tumorviewer.desktop.viewer import captions
from tumorviewer.desktop.viewer.view_state import ViewState
from tumorviewer.desktop.viewer.viewport import Viewport
from tumorviewer.study import Placement, Volume, Window

FULL = Window(128, 256)


def affine(slice_step, row_step, column_step, origin=(0, 0, 0)) -> np.ndarray:
    made = np.eye(4)
    made[:3] = np.column_stack([slice_step, row_step, column_step, origin])
    return made


AXIAL = affine((0, 0, 5), (0, 1, 0), (1, 0, 0))
CORONAL = affine((0, 5, 0), (0, 0, -1), (1, 0, 0))
SAGITTAL = affine((5, 0, 0), (0, 0, -1), (0, 1, 0))
FLIPPED = affine((0, 0, -5), (0, -1, 0), (-1, 0, 0))
TALL_PIXELS = affine((0, 0, 5), (0, 2, 0), (1, 0, 0))


def volume(array, matrix=AXIAL, placement=Placement.PATIENT, **fields) -> Volume:
    fields.setdefault("windows", (FULL,))
    return Volume(np.asarray(array), matrix, placement, "made", **fields)


def ramp(slices=20, side=64) -> Volume:
    array = np.zeros((slices, side, side), np.int16)
    array += np.arange(slices, dtype=np.int16)[:, None, None] * 10
    return volume(array)


@pytest.fixture
def state(qtbot) -> ViewState:
    return ViewState()


@pytest.fixture
def viewport(qtbot, state) -> Viewport:
    made = Viewport(state, "Image")
    qtbot.addWidget(made)
    made.resize(300, 300)
    made.show()
    return made


@pytest.fixture
def written(monkeypatch) -> list[tuple[str, Qt.AlignmentFlag]]:
    """What ``draw_text`` was asked to write, with its alignment."""
    texts: list[tuple[str, Qt.AlignmentFlag]] = []
    draw = captions.draw_text

    def record(painter, box, align, text, ink=captions.INK) -> None:
        texts.append((text, align))
        draw(painter, box, align, text, ink)

    monkeypatch.setattr(captions, "draw_text", record)
    return texts


def bare(viewport: Viewport, monkeypatch, ratio: int = 1) -> np.ndarray:
    """The viewport's grey levels without anything written over them."""
    monkeypatch.setattr(viewport, "_draw_annotations", lambda *_: None)
    viewport.clearFocus()
    return levels(viewport, ratio)


def levels(viewport: Viewport, ratio: int = 1) -> np.ndarray:
    canvas = QImage(viewport.size() * ratio, QImage.Format.Format_RGB32)
    canvas.setDevicePixelRatio(ratio)
    viewport.render(canvas)
    grey = canvas.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return rows[:, : grey.width()].copy()


def centroid(picture: np.ndarray) -> tuple[float, float]:
    """x and y of what is bright, at pixel centres."""
    weight = picture.astype(float)
    y, x = np.indices(picture.shape) + 0.5
    return float((x * weight).sum() / weight.sum()), float((y * weight).sum() / weight.sum())


@pytest.mark.parametrize(("height", "lines"), [(900, 4), (330, 2), (60, 1)])
def test_small_views_have_the_first_lines_of_a_corner(qapp, monkeypatch, height, lines):
    drawn: list[str] = []
    monkeypatch.setattr(captions, "draw_text", lambda *given: drawn.append(given[-1]))
    image = QImage(400, height, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    font = painter.font()
    font.setPixelSize(16)
    painter.setFont(font)
    corner = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
    captions.draw_corner(painter, QRectF(image.rect()), corner, ["a", "b", "c", "d"])
    painter.end()
    assert drawn == ["a", "b", "c", "d"][:lines]


def wheel(
    viewport: Viewport, delta: int, at=(150, 150), keys=Qt.KeyboardModifier.NoModifier
) -> None:
    position = QPointF(*at)
    event = QWheelEvent(
        position,
        position,
        QPoint(),
        QPoint(0, delta),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)


def drag(viewport, button, start, end, keys=Qt.KeyboardModifier.NoModifier) -> None:
    QTest.mousePress(viewport, button, keys, QPoint(*start))
    QTest.mouseMove(viewport, QPoint(*end))
    QTest.mouseRelease(viewport, button, keys, QPoint(*end))


# Where things fall


@pytest.mark.parametrize("matrix", [AXIAL, CORONAL, SAGITTAL, FLIPPED])
@pytest.mark.parametrize("ratio", [1, 2])
def test_a_marked_voxel_is_where_it_belongs(viewport, state, monkeypatch, matrix, ratio) -> None:
    array = np.zeros((3, 50, 100), np.uint8)
    array[1, 10, 80] = 255
    state.show(volume(array, matrix))
    x, y = centroid(bare(viewport, monkeypatch, ratio))
    # 100 columns over 300 units: 3 units each; 50 rows take the middle 150.
    assert x / ratio == pytest.approx(80.5 * 3, abs=0.5)
    assert y / ratio == pytest.approx(75 + 10.5 * 3, abs=0.5)


@pytest.mark.parametrize(
    ("matrix", "left", "right", "top", "bottom"),
    [
        (AXIAL, "R", "L", "A", "P"),
        (CORONAL, "R", "L", "H", "F"),
        (SAGITTAL, "A", "P", "H", "F"),
        (FLIPPED, "L", "R", "P", "A"),
    ],
)
def test_letters_stand_at_their_edges(
    viewport, state, written, matrix, left, right, top, bottom
) -> None:
    state.show(volume(np.zeros((3, 50, 100), np.uint8), matrix))
    levels(viewport)
    flag = Qt.AlignmentFlag
    assert (left, flag.AlignLeft | flag.AlignVCenter) in written
    assert (right, flag.AlignRight | flag.AlignVCenter) in written
    assert (top, flag.AlignTop | flag.AlignHCenter) in written
    assert (bottom, flag.AlignBottom | flag.AlignHCenter) in written


@pytest.mark.parametrize("matrix", [AXIAL, CORONAL, FLIPPED])
def test_the_patient_s_left_is_on_the_side_of_the_letter(
    viewport, state, written, monkeypatch, matrix
) -> None:
    array = np.zeros((9, 9, 9), np.uint8)
    made = volume(array, matrix)
    middle = matrix @ (4, 4, 4, 1)
    voxel = np.linalg.solve(matrix, middle + np.array([3, 0, 0, 0]))
    index, row, column = np.rint(voxel[:3]).astype(int)
    array[index, row, column] = 255
    state.show(made)
    state.set_slice(index)
    levels(viewport)
    letters_on_right = [t for t, a in written if a & Qt.AlignmentFlag.AlignRight]
    x, _ = centroid(bare(viewport, monkeypatch))
    assert (x > 150) == ("L" in letters_on_right)


def test_tall_pixels_are_shown_tall(viewport, state, monkeypatch) -> None:
    array = np.zeros((1, 50, 100), np.uint8)
    array[0, 10, 80] = 255
    state.show(volume(array, TALL_PIXELS))
    x, y = centroid(bare(viewport, monkeypatch))
    assert (x, y) == (pytest.approx(80.5 * 3, abs=0.5), pytest.approx(10.5 * 6, abs=0.5))


def test_scale_bar_is_as_long_as_it_says(viewport, state, written) -> None:
    matrix = affine((0, 0, 5), (0, 0.5, 0), (0.5, 0, 0))
    state.show(volume(np.zeros((1, 100, 100), np.uint8), matrix))
    picture = levels(viewport)
    assert ("10 mm", Qt.AlignmentFlag.AlignHCenter) in written
    bright = (picture[200:, 110:190] > 220).sum(axis=1).max()
    assert bright == pytest.approx(10 / 0.5 * 3, abs=3)


def test_a_picture_claims_neither_millimetres_nor_letters(viewport, state, written) -> None:
    state.show(volume(np.zeros((1, 64, 64), np.uint8), placement=Placement.NONE))
    state.point_at(QPointF(10, 10))
    levels(viewport)
    text = " ".join(text for text, _ in written)
    assert "mm" not in text
    assert not {"R", "L", "A", "P"} & {text for text, _ in written}


def test_interpolation_can_be_switched_off(viewport, state, monkeypatch) -> None:
    array = np.zeros((1, 10, 10), np.uint8)
    array[0, 5, 5] = 255
    state.show(volume(array))
    smooth = bare(viewport, monkeypatch)
    state.set_smooth(False)
    squares = bare(viewport, monkeypatch)
    assert set(np.unique(squares)) == {0, 255}
    assert len(np.unique(smooth)) > 10
    assert (squares == 255).sum() == 30 * 30


def test_large_pictures_are_averaged_not_skipped(viewport, state, monkeypatch) -> None:
    array = (np.indices((2400, 2400)).sum(axis=0) % 2 * 255).astype(np.uint8)
    state.show(volume(array[None], placement=Placement.NONE))
    picture = bare(viewport, monkeypatch)
    assert np.abs(picture[5:-5, 5:-5].astype(int) - 127).max() <= 3


def test_colour_is_shown_in_colour(viewport, state) -> None:
    array = np.zeros((1, 8, 8, 3), np.uint8)
    array[...] = (200, 40, 10)
    state.show(volume(array, placement=Placement.NONE))
    assert viewport.grab().toImage().pixelColor(150, 100) == QColor(200, 40, 10)


def test_overlay_is_blended_in(viewport, state) -> None:
    state.show(ramp())
    red = QImage(64, 64, QImage.Format.Format_ARGB32_Premultiplied)
    red.fill(QColor(255, 0, 0))
    viewport.overlay = lambda index: red if index == 3 else None
    state.set_slice(3)
    assert viewport.grab().toImage().pixelColor(150, 100) == QColor(255, 0, 0)
    state.set_slice(4)
    assert viewport.grab().toImage().pixelColor(150, 100) == QColor(40, 40, 40)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_volumes_are_drawn(viewport, state, value) -> None:
    state.show(volume(np.full((2, 8, 8), value, np.float32), windows=()))
    state.point_at(QPointF(4, 4))
    assert levels(viewport).shape == (300, 300)


# What is written


def test_text_is_readable_on_white(viewport, state) -> None:
    state.show(volume(np.full((1, 64, 64), 255, np.uint8)))
    viewport.patient_lines = ("DOE^JANE",)
    corner = levels(viewport)[5:25, 5:80]
    assert corner.min() < 60
    assert corner.max() == 255


def test_patient_text_is_plain_elided_and_can_be_hidden(viewport, state, written) -> None:
    state.show(ramp())
    viewport.patient_lines = ("<b>A&B</b>\n\u202eevil", "x" * 5000)
    picture = levels(viewport)
    texts = [text for text, _ in written]
    assert "<b>A&B</b>\n\u202eevil" in texts
    assert captions.strip_controls(texts[0]) == "<b>A&B</b>  evil"
    assert picture[20:40, 160:].max() < 230
    written.clear()
    viewport.title_lines = ("Attention",)
    state.set_patient_text_shown(False)
    levels(viewport)
    assert not any("evil" in text for text, _ in written)
    assert "Attention" in [text for text, _ in written]


def test_read_out_has_value_unit_and_millimetres(viewport, state, written) -> None:
    array = np.zeros((3, 10, 10), np.int16)
    array[1, 2, 7] = -42
    state.show(volume(array, units="HU"))
    QTest.mouseMove(viewport, QPoint(225, 75))
    levels(viewport)
    texts = [text for text, _ in written]
    assert "-42 HU" in texts
    assert "L 7.0  P 2.0  H 5.0 mm" in texts
    assert "Column 7, row 2" in texts
    assert "Slice 2 / 3" in texts
    QTest.mouseMove(viewport, QPoint(150, 299))


def test_unread_slice_says_that_it_is_loading(viewport, state, monkeypatch) -> None:
    array = np.zeros((3, 10, 10), np.int16)
    made = volume(array, windows=())
    state.show(made, complete=False)
    said: list[str] = []
    monkeypatch.setattr(captions, "draw_message", lambda _p, _a, text: said.append(text))
    levels(viewport)
    assert said == ["Loading this slice…"]
    array[1] = np.arange(100).reshape(10, 10)
    state.fill(1)
    assert state.window.width == pytest.approx(98, abs=2)
    state.set_window(Window(5, 10))
    state.set_slice(0)
    state.show(made)
    assert (state.index, state.window) == (0, Window(5, 10))
    levels(viewport)
    assert said == ["Loading this slice…"]


def test_missing_slice_says_so(viewport, state, monkeypatch) -> None:
    state.show(volume(np.zeros((3, 10, 10), np.int16), missing=(1,)))
    said: list[str] = []
    monkeypatch.setattr(captions, "draw_message", lambda _p, _a, text: said.append(text))
    levels(viewport)
    assert said == ["This slice could not be read."]


# Mouse and keys


def test_wheel_scrolls_and_small_deltas_add_up(viewport, state) -> None:
    state.show(ramp())
    wheel(viewport, -120)
    assert state.index == 11
    for _ in range(3):
        wheel(viewport, 30)
    assert state.index == 11
    wheel(viewport, 30)
    assert state.index == 10
    wheel(viewport, -120 * 100)
    assert state.index == 19


def test_ctrl_wheel_zooms_about_the_pointer(viewport, state) -> None:
    state.show(ramp())
    under = viewport.to_image(QPointF(220, 90))
    wheel(viewport, 240, (220, 90), Qt.KeyboardModifier.ControlModifier)
    assert state.zoom > 1.2
    assert state.index == 10
    after = viewport.to_image(QPointF(220, 90))
    assert (after.x(), after.y()) == (pytest.approx(under.x()), pytest.approx(under.y()))


@pytest.mark.parametrize(
    ("button", "keys"),
    [
        (Qt.MouseButton.MiddleButton, Qt.KeyboardModifier.NoModifier),
        (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ShiftModifier),
    ],
)
def test_panning_takes_the_image_along(viewport, state, button, keys) -> None:
    state.show(ramp())
    grabbed = viewport.to_image(QPointF(100, 100))
    drag(viewport, button, (100, 100), (140, 70), keys)
    after = viewport.to_image(QPointF(140, 70))
    assert (after.x(), after.y()) == (pytest.approx(grabbed.x()), pytest.approx(grabbed.y()))
    drag(viewport, button, (0, 0), (299, 299), keys)
    drag(viewport, button, (0, 0), (299, 299), keys)
    assert state.centre == QPointF(0, 0)


def test_double_click_fits(viewport, state) -> None:
    state.show(ramp())
    state.zoom_about(QPointF(3, 3), 4)
    QTest.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    assert (state.zoom, state.centre) == (1, QPointF(32, 32))


def test_left_drag_scrolls(viewport, state) -> None:
    state.show(ramp())
    drag(viewport, Qt.MouseButton.LeftButton, (100, 100), (100, 145))
    assert state.index == 13


def test_right_drag_changes_width_and_centre(viewport, state) -> None:
    state.show(ramp())
    drag(viewport, Qt.MouseButton.RightButton, (100, 100), (200, 100))
    assert state.window == Window(128, 384)
    drag(viewport, Qt.MouseButton.RightButton, (100, 100), (100, 50))
    assert state.window.centre < 128
    drag(viewport, Qt.MouseButton.RightButton, (299, 100), (0, 100))
    drag(viewport, Qt.MouseButton.RightButton, (299, 100), (0, 100))
    assert state.window.width > 0


@pytest.mark.parametrize("inverted", [False, True])
def test_dragging_up_brightens(viewport, state, monkeypatch, inverted) -> None:
    state.show(volume(np.full((1, 8, 8), 128, np.int16), inverted=inverted))
    before = bare(viewport, monkeypatch)[150, 150]
    drag(viewport, Qt.MouseButton.RightButton, (100, 100), (100, 60))
    assert bare(viewport, monkeypatch)[150, 150] > before


def test_keys(viewport, state) -> None:
    state.show(ramp(40))
    key, held = Qt.Key, Qt.KeyboardModifier
    for pressed, expected in (
        (key.Key_Up, 19),
        (key.Key_Down, 20),
        (key.Key_PageDown, 30),
        (key.Key_PageUp, 20),
        (key.Key_End, 39),
        (key.Key_Home, 0),
        (key.Key_Up, 0),
    ):
        QTest.keyClick(viewport, pressed)
        assert state.index == expected
    QTest.keyClick(viewport, key.Key_Plus, held.ControlModifier)
    assert state.zoom > 1
    QTest.keyClick(viewport, key.Key_Left, held.ShiftModifier)
    assert state.centre.x() < 32
    QTest.keyClick(viewport, key.Key_0, held.ControlModifier)
    assert (state.zoom, state.centre.x()) == (1, 32)
    QTest.keyClick(viewport, key.Key_Right, held.AltModifier)
    assert state.window.width > 256


def test_linked_viewports_mark_the_same_point(qtbot, viewport, state, monkeypatch) -> None:
    other = Viewport(state, "Saliency map")
    qtbot.addWidget(other)
    other.resize(300, 300)
    other.show()
    state.show(ramp())
    marked: list[QPointF] = []
    monkeypatch.setattr(captions, "draw_cursor", lambda _p, at: marked.append(at))
    QTest.mouseMove(viewport, QPoint(75, 150))
    wheel(viewport, 120, keys=Qt.KeyboardModifier.ControlModifier)
    levels(other)
    assert other.to_image(marked[-1]) == state.cursor


@pytest.mark.parametrize("events", ["wheel", "drag", "keys"])
def test_nothing_happens_without_a_volume(viewport, state, events) -> None:
    if events == "wheel":
        wheel(viewport, 120)
        wheel(viewport, 120, keys=Qt.KeyboardModifier.ControlModifier)
    elif events == "drag":
        drag(viewport, Qt.MouseButton.RightButton, (0, 0), (50, 50))
        drag(viewport, Qt.MouseButton.LeftButton, (0, 0), (50, 50))
    else:
        for key in (Qt.Key.Key_Up, Qt.Key.Key_End, Qt.Key.Key_Left):
            QTest.keyClick(viewport, key)
    levels(viewport)
    assert (state.index, state.count, state.centre) == (0, 0, QPointF())


def test_a_long_remark_is_whole_on_two_lines():
    text = "The model calls this slice free of tumour: there is nothing to point at."
    assert captions._lines(text, fits=True) == (text,)
    first, second = captions._lines(text, fits=False)
    assert f"{first} {second}" == text
    assert abs(len(first) - len(second)) < 10
