"""What the papers did, a file each, as far as it can be done again."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trainer.runs.config import Config
from trainer.tools.options import build_settings
from tumorviewer.errors import InputError

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PaperProtocol:
    """A paper's networks and settings."""

    name: str
    title: str
    reported: str
    """The paper's own figure, in words."""
    data: str
    settings: dict[str, Any]
    """Tables of the configuration that all its networks share."""
    networks: tuple[dict[str, Any], ...]
    """Each with a label and the tables in which it differs."""

    def only(self, text: str) -> PaperProtocol:
        """The same with the networks whose label holds ``text``.

        Raises
        ------
        InputError
            If there is none.
        """
        chosen = tuple(one for one in self.networks if text.lower() in one["label"].lower())
        if not chosen:
            known = ", ".join(one["label"] for one in self.networks)
            raise InputError(text, f"{self.name} has no such network.", f"It has {known}.")
        return replace(self, networks=chosen)

    def configs(self, overrides: Mapping[str, Any]) -> Iterator[tuple[str, Config]]:
        """Label and configuration of each network."""
        for network in self.networks:
            tables = {name: table for name, table in network.items() if name != "label"}
            merged = _merged(_merged(self.settings, tables), overrides)
            yield network["label"], build_settings(Config, merged, self.name)


def list_papers() -> tuple[str, ...]:
    """The protocols that there are."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def read_protocol(name: str) -> PaperProtocol:
    """One of :func:`list_papers`."""
    stored = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return PaperProtocol(name=name, **(stored | {"networks": tuple(stored["networks"])}))


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {**base.get(name, {}), **over.get(name, {})} for name in {*base, *over}}
