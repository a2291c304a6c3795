"""A finished run to a bundle with a true card."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainer.audit import audit
from trainer.data import volumes
from trainer.data.material import Material
from trainer.data.split import Split
from trainer.runs.config import Config
from trainer.tools.options import plain
from trainer.training import initial_weights
from tumorviewer.analysis import device as devices
from tumorviewer.models import Architecture, ModelCard, Weights, evidence
from tumorviewer.models import bundle as bundles

if TYPE_CHECKING:
    from trainer.runs.fit import Run


def bundle(
    folder: Path,
    material: Material,
    config: Config,
    parts: Split,
    result: dict[str, Any],
    weights: dict[str, Tensor],
    run: Run,
) -> ModelCard:
    """Write ``card.json`` and ``model.safetensors``."""
    card = replace(
        blank(config, material.dataset.classes, config.model.architecture),
        training=_training(material, config, parts, result, run),
        figures=result["figures"],
        temperature=result["temperature"],
    )
    seen = {
        digest for row in (*parts.train, *parts.validation) for digest in digests(material, row)
    }
    return bundles.write_bundle(
        folder, card, weights, seen | initial_weights.items_of(config.model.initial_weights)
    )


def blank(config: Config, classes: tuple[str, ...], name: str) -> ModelCard:
    """A card with what the settings say, and nothing of a training yet.

    Parameters
    ----------
    name
        Of a model that the settings do not name.
    """
    said = config.card
    return ModelCard(
        name=said.name or name,
        version=said.version,
        title=said.title or said.name or name,
        architecture=Architecture(config.model.architecture, dict(config.model.options)),
        classes=classes,
        labels={name: said.labels.get(name, name) for name in classes},
        no_tumour=said.no_tumour or None,
        preprocessing=config.preprocessing,
        weights=Weights("", 0),
        created=datetime.now(UTC).date().isoformat(),
        summary=said.summary,
        intended_use=said.intended_use,
        limits=said.limits,
        licence=said.licence,
        training={},
        figures={},
        references=said.references,
    )


def digests(material: Material, row: int) -> tuple[str, ...]:
    """SHA-256 by which an item is known again; a slice by its volume's too, whose other slices
    show the same patient."""
    own, item = material.pictures.sha256[row], material.dataset.items[row]
    return (own,) if item.slice is None else (own, volumes.sha256(item.path))


def share_in(seen: frozenset[str], material: Material, rows: Iterable[int]) -> float:
    """Of some items, those that are among a bundle's training items."""
    known = [
        any(bundles.item_digest(one) in seen for one in digests(material, row)) for row in rows
    ]
    return float(np.mean(known))


def _training(
    material: Material, config: Config, parts: Split, result: dict[str, Any], run: Run
) -> dict[str, Any]:
    rows = range(len(material.dataset.items))
    held = parts.validation.tolist()
    training: dict[str, Any] = {
        "data": {
            "name": config.data.name or material.dataset.root.name,
            "items": len(rows),
            "groups": len(np.unique(material.groups)),
            "classes": material.dataset.counts(),
            "licence": config.data.licence,
            "sha256": material.pictures.fingerprint(rows),
        },
        "split": {
            "validation": config.split.validation,
            "folds": config.split.folds,
            "seed": config.split.seed,
            "grouped_by": material.grouped_by,
            "train_items": len(parts.train),
            "validation_items": len(held),
            "test_items": len(parts.test),
            "is_leaky": config.split.is_leaky,
            "validation_sha256": material.pictures.fingerprint(held) if held else "",
        },
        "audit": audit.summary(material),
        "mode": config.model.mode,
        "config": plain(config),
        "epoch": result["epoch"],
        "hours": result["hours"],
        **{key: result[key] for key in ("figures_from", "initial_weights") if key in result},
        **provenance(run.device, run.command),
    }
    return training | {"selection": evidence.describe_selection(training)}


def provenance(device: torch.device, command: str) -> dict[str, Any]:
    """What is needed to do it again."""
    return {
        "command": command,
        "commit": _commit(),
        "source_sha256": _source_sha256(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": devices.describe_device(device),
    }


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def _commit() -> str:
    """The commit of the checkout, and whether its source differs from it; empty outside one."""
    try:
        changed = _git("status", "--porcelain", "--", "*.py")
        return _git("rev-parse", "HEAD") + (" with uncommitted changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_root()), *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return found.stdout.strip()


def _source_sha256() -> str:
    """Of this program's own source files, so that a copy without a commit can be told too."""
    digest = hashlib.sha256()
    for room in ("trainer", "tumorviewer/networks", "tumorviewer/analysis"):
        for path in sorted((_root() / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
