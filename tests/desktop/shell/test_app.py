"""Starting: what is imported before the window is up, and how it starts and ends."""

from __future__ import annotations

import os
import subprocess
import sys

from tumorviewer.desktop.shell import app

WINDOW = """
import sys
from tumorviewer.desktop.shell import app
application = app.make_application()
window = app.make_window()
heavy = {"torch", "pydicom", "nibabel", "matplotlib", "scipy"} & set(sys.modules)
assert not heavy, heavy
window.painted.connect(window.close)
window.show()
sys.exit(application.exec())
"""
MAIN = """
from PySide6.QtCore import QTimer
from tumorviewer.desktop.shell import app
make_window = app.make_window
def make_and_close():
    window = make_window()
    window.painted.connect(lambda: QTimer.singleShot(300, window.close))
    return window
app.make_window = make_and_close
raise SystemExit(app.run_window([]))
"""
ICON = """
from tumorviewer.desktop.shell import app
from tumorviewer.desktop.widgets import theme
application = app.make_application()
image = theme.draw_icon("side_by_side", "#ffffff").toImage()
assert image.width() == 40, image.width()
inked = [x for x in range(40) for y in range(40) if image.pixelColor(x, y).alpha() > 100]
assert 34 <= max(inked) <= 37 and 2 <= min(inked) <= 6, (min(inked), max(inked))
"""


def run(program: str, tmp_path, **environment) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TUMORVIEWER_HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_window_is_up_before_anything_heavy_is_imported(tmp_path):
    ended = run(WINDOW, tmp_path)
    assert ended.returncode == 0, ended.stderr


def test_icons_are_whole_on_a_sharp_screen(tmp_path):
    ended = run(ICON, tmp_path, QT_SCALE_FACTOR="2")
    assert ended.returncode == 0, ended.stderr


def test_main_starts_the_worker_and_ends_cleanly_while_it_still_starts(tmp_path):
    ended = run(MAIN, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_display_the_reason_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(
        "tumorviewer.desktop.shell.screen.find_display_problem", lambda: "There is no display."
    )
    assert app.run_window([]) == 2
    assert "There is no display." in capsys.readouterr().err
