"""The contracts of pyproject.toml really look: a planted violation of each is found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLANTED = {
    "A room imports only rooms below it": (
        "tumorviewer/study/types.py",
        "import tumorviewer.imaging.display",
    ),
    "A wing of the window imports only wings below it": (
        "tumorviewer/desktop/hospital/report_subject.py",
        "import tumorviewer.desktop.worklist.worklist_model",
    ),
    "Models know nothing of studies": (
        "tumorviewer/models/card.py",
        "import tumorviewer.study.types",
    ),
    "The trainer stands alone": ("tumorviewer/cli.py", "import trainer"),
    "A wing of the trainer imports only wings below it": (
        "trainer/data/items.py",
        "import trainer.runs.config",
    ),
    "No modules of the trainer import each other": (
        "trainer/tools/progress.py",
        "import trainer.tools.parallel",
    ),
    "The trainer has no window": ("trainer/__init__.py", "import tumorviewer.cli"),
    "Only networks, weights, one engine and the worker need torch": (
        "tumorviewer/models/bundle.py",
        "def f():\n    import torch",
    ),
    "Only the desktop needs Qt": ("tumorviewer/networks/light.py", "from PySide6 import QtCore"),
}


def contracts(folder: Path) -> dict[str, str]:
    """Name of each contract to KEPT or BROKEN."""
    linter = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([linter, "--no-cache"], cwd=folder, capture_output=True, text=True)
    return dict(re.findall(r"^(.+?) (KEPT|BROKEN)", ran.stdout, re.MULTILINE))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("tumorviewer", "trainer"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_each_contract_is_tried() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    assert {contract["name"] for contract in settings["contracts"]} == set(PLANTED)


def test_planted_violations_are_found(copy) -> None:
    assert contracts(copy) == dict.fromkeys(PLANTED, "KEPT")
    for path, line in PLANTED.values():
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n")
    assert contracts(copy) == dict.fromkeys(PLANTED, "BROKEN")


def test_a_new_room_must_find_its_place(copy) -> None:
    (copy / "tumorviewer" / "attic").mkdir()
    (copy / "tumorviewer" / "attic" / "__init__.py").touch()
    assert contracts(copy)["A room imports only rooms below it"] == "BROKEN"


def test_a_new_wing_must_find_its_place(copy) -> None:
    (copy / "tumorviewer" / "desktop" / "attic").mkdir()
    (copy / "tumorviewer" / "desktop" / "attic" / "__init__.py").touch()
    assert contracts(copy)["A wing of the window imports only wings below it"] == "BROKEN"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tumorviewer.study", ["torch", "PySide6"]),
        ("tumorviewer.imaging.display", ["torch", "PySide6"]),
        ("tumorviewer.models.catalogue", ["torch", "PySide6"]),
        ("tumorviewer.desktop", ["torch"]),
        ("tumorviewer.cli", ["torch", "PySide6", "numpy"]),
    ],
)
def test_imports_at_run_time(module, absent) -> None:
    program = f"import {module}, sys; print(*(set({absent}) & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""
