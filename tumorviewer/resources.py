"""Where things lie: what ships beside the code, and what belongs to this user."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

HOME_VARIABLE = "TUMORVIEWER_HOME"
_package = Path(__file__).resolve().parent


def resource_path(*parts: str) -> Path:
    """A path under ``resources/``, which is inside an installed package or beside it in a checkout.

    Nothing is promised about its existence.
    """
    inside = _package / "resources"
    root = inside if inside.is_dir() else _package.parent / "resources"
    return root.joinpath(*parts)


def home_path(*parts: str) -> Path:
    """A path under this user's own folder; ``TUMORVIEWER_HOME`` puts it elsewhere."""
    override = os.environ.get(HOME_VARIABLE)
    root = Path(override) if override else platformdirs.user_data_path("tumorviewer", False)
    return root.joinpath(*parts)
