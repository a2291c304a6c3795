"""A finished run to a bundle with a true card."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainer.audit import audit
from trainer.runs.config import Config
from trainer.runs.run_context import TrainingContext
from trainer.tools.options import export_plain
from trainer.training import initial_weights
from tumorviewer.analysis import device as devices
from tumorviewer.models import Architecture, ModelCard, Weights, evidence
from tumorviewer.models import bundle as bundles

if TYPE_CHECKING:
    pass


def write_bundle(
    folder: Path, context: TrainingContext, result: dict[str, Any], weights: dict[str, Tensor]
) -> ModelCard:
    """Write ``card.json`` and ``model.safetensors`` of a finished run.

    Parameters
    ----------
    result
        What ``figures.json`` holds.
    """
    config, material, parts = context.config, context.material, context.parts
    card = replace(
        make_blank_card(config, material.dataset.classes, config.model.architecture),
        training=_training(context, result),
        figures=result["figures"],
        temperature=result["temperature"],
    )
    seen = {digest for row in (*parts.train, *parts.validation) for digest in material.digests(row)}
    before = initial_weights.read_start_items(config.model.initial_weights)
    return bundles.write_bundle(folder, card, weights, seen | before)


def make_blank_card(config: Config, classes: tuple[str, ...], name: str) -> ModelCard:
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


def _training(context: TrainingContext, result: dict[str, Any]) -> dict[str, Any]:
    run, config, material, parts = context.run, context.config, context.material, context.parts
    rows = range(len(material.dataset.items))
    held = parts.validation.tolist()
    training: dict[str, Any] = {
        "data": {
            "name": config.data.name or material.dataset.root.name,
            "items": len(rows),
            "groups": material.count_groups(),
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
        "audit": audit.summarise_audit(material),
        "mode": config.model.mode,
        "config": export_plain(config),
        "epoch": result["epoch"],
        "hours": result["hours"],
        **{key: result[key] for key in ("figures_from", "initial_weights") if key in result},
        **describe_provenance(run.device, run.command),
    }
    return training | {"selection": evidence.describe_selection(training)}


def describe_provenance(device: torch.device, command: str) -> dict[str, Any]:
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
