"""The Qt binding itself: PySide6 6.12.0 gives back references that it does not own."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

TIMES = 2000


class Emitter(QObject):
    said = Signal()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="True and None are immortal")
def test_calls_into_qt_leave_the_reference_counts_alone(qtbot):
    emitter, widget = Emitter(), QWidget()
    qtbot.addWidget(widget)
    before = sys.getrefcount(True), sys.getrefcount(None)
    for _ in range(TIMES):
        emitter.said.emit()
        widget.update()
    after = sys.getrefcount(True), sys.getrefcount(None)
    assert min(now - then for now, then in zip(after, before, strict=True)) > -TIMES / 10
