"""Name the system libraries that Qt lacks here, with the command that installs them.

``qt_libraries.py`` looks at what an invisible window needs; ``qt_libraries.py screen`` also at what
an X11 window needs, where there is a display. It imports nothing of Qt: that would fail.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libICE.so.6": "libice6",
    "libSM.so.6": "libsm6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
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
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Library to Debian and Ubuntu package; apt knows ``libglib2.0-0`` where it is ``…-0t64``."""


def missing(ldd_output: str) -> list[str]:
    """Libraries that ``ldd`` did not find, by name, each once."""
    return sorted(set(re.findall(r"^\s*(\S+) => not found", ldd_output, re.MULTILINE)))


def advice(libraries: list[str]) -> str:
    """What to tell the user."""
    packages = sorted({PACKAGES[name] for name in libraries if name in PACKAGES})
    lines = ["The window's toolkit (Qt) lacks system libraries: " + ", ".join(libraries)]
    if packages:
        lines += ["On Debian and Ubuntu, install them with:"]
        lines += ["    sudo apt-get install " + " ".join(packages)]
    return "\n".join(lines)


def look(*, screen: bool) -> list[str]:
    """Libraries missing for Qt's widgets, and for its X11 plug-in if ``screen``."""
    spec = importlib.util.find_spec("PySide6")
    ldd = shutil.which("ldd")
    if not sys.platform.startswith("linux") or ldd is None or spec is None or not spec.origin:
        return []
    qt = Path(spec.origin).parent / "Qt"
    objects = [qt / "lib" / "libQt6Widgets.so.6", qt / "plugins" / "platforms" / "libqoffscreen.so"]
    if screen and os.environ.get("DISPLAY"):
        objects.append(qt / "plugins" / "platforms" / "libqxcb.so")
    found = subprocess.run([ldd, *objects], capture_output=True, text=True, check=False)
    return missing(found.stdout)


def main() -> int:
    """Answer 1 if something is missing."""
    if libraries := look(screen="screen" in sys.argv[1:]):
        print(advice(libraries), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
