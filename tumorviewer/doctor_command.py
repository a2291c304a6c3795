"""``tumorviewer doctor``: can this computer do the work, and what to do where it cannot.

Nothing of patients is read or told.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tumorviewer import __version__
from tumorviewer.errors import InputError
from tumorviewer.files import format_size
from tumorviewer.language import tr
from tumorviewer.resources import home_path
from tumorviewer.terminal import OK, SOME_REFUSED

_LEAST_DISK = 2 * 1024**3
_LEAST_MEMORY = 4 * 1024**3
_LIBRARIES = ("PySide6-Essentials", "pydicom", "nibabel", "numpy", "pillow", "sqlalchemy", "scipy")
"""What the window and its readers cannot do without."""
_OPTIONAL = {
    "onnxruntime": "onnxruntime",
    "torch": "torch",
    "highdicom": "tumorviewer[hospital]",
    "pynetdicom": "tumorviewer[hospital]",
}
"""What some of the work needs, and what to install for it."""


@dataclass(frozen=True)
class Check:
    """One line."""

    name: str
    found: str
    """What is there, in words."""
    remedy: str = ""
    """What to do; empty if all is well."""


def main(arguments: list[str]) -> int:
    """Run the command; answers the exit code: 1 if there is something to do."""
    parser = argparse.ArgumentParser(
        prog="tumorviewer doctor",
        description="Check this computer: engine, models, libraries, disk, memory, screen and "
        "permissions, a line each with what to do. Exit code 0: all is well; 1: something is not.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    checks = [check for make in CHECKS for check in make()]
    if options.json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            mark = "!!" if check.remedy else "ok"
            print(f"{mark} {check.name:12} {check.found}")
            if check.remedy:
                print(f"   {'':12} {check.remedy}")
    return SOME_REFUSED if any(check.remedy for check in checks) else OK


def check_program() -> list[Check]:
    """Versions of the program, of Python and of the system."""
    found = f"TumorViewer {__version__}, Python {platform.python_version()}, {platform.system()}"
    return [Check(tr("program"), f"{found} {platform.release()}, {platform.machine()}")]


def check_engine() -> list[Check]:
    """What computes the answers, and where."""
    from tumorviewer.analysis.selftest import run_selftest

    tested = run_selftest()
    if not tested.ok:
        remedy = tr("Install the program again; its libraries do not work together.")
        return [Check(tr("engine"), " ".join(tested.problems), remedy)]
    versions = ", ".join(f"{name} {version}" for name, version in tested.versions.items())
    notes = " ".join(tested.problems)
    return [Check(tr("engine"), f"{tested.device}; {versions}. {notes}".strip())]


def check_models() -> list[Check]:
    """Every byte of each model."""
    from tumorviewer.models import bundle
    from tumorviewer.models.catalogue import Catalogue

    checks = []
    for entry in Catalogue().entries():
        try:
            card = bundle.verify_bundle(entry.folder)
        except InputError as error:
            remedy = tr("Copy the bundle again from where it was made.")
            checks.append(Check(tr("model"), f"{entry.name}: {error.message}", remedy))
            continue
        engines = "ONNX Runtime, torch" if card.graphs else "torch"
        checks.append(Check(tr("model"), f"{card.name} {card.version}: {engines}"))
    if not checks:
        remedy = tr("Install the program again, or import a model.")
        checks.append(Check(tr("model"), tr("There is none."), remedy))
    return checks


def check_libraries() -> list[Check]:
    """Installed versions; nothing is imported."""
    checks = []
    for name in _LIBRARIES:
        version = _version(name)
        remedy = "" if version else tr("Install it with `pip install {name}`.", name=name)
        checks.append(Check(tr("library"), f"{name} {version or tr('missing')}", remedy))
    for name, package in _OPTIONAL.items():
        version = _version(name)
        what = f"{name} {version}"
        if not version:
            what = tr(
                "{name} is not installed; `pip install '{package}'`", name=name, package=package
            )
        checks.append(Check(tr("library"), what))
    return checks


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def check_disk() -> list[Check]:
    """Room for records and fetched studies, and leave to write there."""
    home = home_path()
    there = next(one for one in (home, *home.parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    remedy = tr("Make room, or set TUMORVIEWER_HOME.") if free < _LEAST_DISK else ""
    checks = [Check(tr("disk"), tr("{size} free", size=format_size(free)), remedy)]
    try:
        with tempfile.TemporaryFile(dir=there):
            checks.append(Check(tr("permission"), tr("the user's folder can be written")))
    except OSError as error:
        found = tr("The user's folder cannot be written: {error}.", error=error.strerror)
        remedy = tr("Change its permissions, or set TUMORVIEWER_HOME.")
        checks.append(Check(tr("permission"), found, remedy))
    return checks


def check_memory() -> list[Check]:
    """All that the computer, or the container, has."""
    total = _memory()
    if not total:
        return []
    remedy = (
        tr("Close other programs; large studies may not open.") if total < _LEAST_MEMORY else ""
    )
    return [Check(tr("memory"), tr("{size} in all", size=format_size(total)), remedy)]


def _memory() -> int:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return 0
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = Path("/sys/fs/cgroup/memory.max")
    stated = limit.read_text("ascii").strip() if limit.is_file() else "max"
    return min(total, int(stated)) if stated.isdecimal() else total


def check_screen() -> list[Check]:
    """Whether a window can be opened."""
    if sys.platform in ("win32", "darwin"):
        return []
    where = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if where or os.environ.get("QT_QPA_PLATFORM"):
        return [Check(tr("screen"), tr("there is one"))]
    return [Check(tr("screen"), tr("none; `classify` and `report` need none"))]


CHECKS: tuple[Callable[[], list[Check]], ...] = (
    check_program,
    check_engine,
    check_models,
    check_libraries,
    check_disk,
    check_memory,
    check_screen,
)
