"""Whether a window can be opened on this machine, and what is missing if not. No Qt."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from tumorviewer.language import tr

_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Shared libraries that Qt loads on Linux, and the Debian and Ubuntu packages they are in."""
_X11_PACKAGES = {
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def has_display() -> bool:
    """Whether there is a screen on which a person would see a window."""
    platform = _chosen_platform()
    if platform:
        return platform not in ("offscreen", "minimal")
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("WAYLAND_DISPLAY")) or _x_server_answers()


def find_missing_libraries(x11: bool = True) -> tuple[str, ...]:
    """Debian packages of the system libraries that Qt needs and this machine lacks.

    Parameters
    ----------
    x11
        Whether a window on an X server is wanted, or only pictures of one.
    """
    if not sys.platform.startswith("linux") or _qt_loads(x11):
        return ()
    wanted = _PACKAGES | (_X11_PACKAGES if x11 else {})
    return tuple(sorted(package for name, package in wanted.items() if not _loads(name)))


def find_display_problem() -> str | None:
    """Why no window can be opened, with what to do about it; None if one can."""
    if not _chosen_platform() and not has_display():
        return tr(
            "No window can be opened: there is no display.\n"
            "On a machine without a screen, use `tumorviewer classify` or `tumorviewer demo`; "
            "over SSH, connect with `ssh -X`."
        )
    missing = find_missing_libraries(x11="DISPLAY" in os.environ)
    if missing:
        return tr(
            "No window can be opened: system libraries that Qt needs are missing.\n"
            "Install them: sudo apt-get install {missing}",
            missing=" ".join(missing),
        )
    return None


def _chosen_platform() -> str:
    return os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]


def _qt_loads(x11: bool) -> bool:
    package = find_spec("PySide6")
    if package is None or package.origin is None:
        return True
    qt = Path(package.origin).parent / "Qt"
    plugins = qt / "plugins" / "platforms"
    libraries = [qt / "lib" / "libQt6Gui.so.6", plugins / "libqoffscreen.so"]
    if x11:
        libraries.append(plugins / "libqxcb.so")
    return all(_loads(str(library)) for library in libraries if library.exists())


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _x_server_answers() -> bool:
    """Qt aborts the process where DISPLAY names a server that does not answer."""
    if not os.environ.get("DISPLAY"):
        return False
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    answers = not xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return answers
