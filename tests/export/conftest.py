"""The volume and the model that analysis is tested with."""

from __future__ import annotations

from tests.analysis.conftest import model, settled_bundle, volume

__all__ = ["model", "settled_bundle", "volume"]
