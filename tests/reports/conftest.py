"""Other programs that judge what we write; where they are missing the tests skip and say so."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.fixture
def program():
    """Runs a program of another package; skips where it is not installed."""

    def run(name: str, *arguments: object) -> str:
        if shutil.which(name) is None:
            pytest.skip(
                f"{name} is not installed: apt-get install dicom3tools dcmtk qpdf poppler-utils"
            )
        ran = subprocess.run([name, *map(str, arguments)], capture_output=True, text=True)
        return ran.stdout + ran.stderr

    return run
