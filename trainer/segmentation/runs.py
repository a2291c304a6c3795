"""Runs: one segmenter trained and written as a bundle, a cross-validation, a model judged.

Whatever is finished is not done again: a run that was ended goes on where its last checkpoint or
record stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainer.data import volumes
from trainer.segmentation.config import SegmentationConfig
from trainer.segmentation.fit import SegmenterTraining
from trainer.segmentation.folds import fold_of_items
from trainer.segmentation.judge import Found, Record, as_json, judge_item
from trainer.segmentation.segmentation_report import write_report
from trainer.segmentation.slices import load_squares
from trainer.segmentation.summary import summarise
from trainer.segmentation.table import Outlined
from trainer.tools.atomic_files import write_json, write_text
from trainer.tools.options import export_plain
from trainer.tools.progress import Progress
from tumorviewer.analysis.engines.choice import load_finder
from tumorviewer.models import bundle, schema
from tumorviewer.models.card import Architecture, ModelCard, Preprocessing, Weights

BUNDLE, RECORDS, FIGURES, REPORT = "bundle", "records.jsonl", "figures.json", "report.html"


@dataclass(frozen=True)
class SegmentationRun:
    """What is trained on what, and where its state is kept."""

    items: tuple[Outlined, ...]
    config: SegmentationConfig
    out: Path
    cache: Path
    command: str
    progress: Progress


def fit_segmenter(run: SegmentationRun, fold: int | None = None) -> Path:
    """Train on all but one fold, or on all, and write the bundle.

    Returns
    -------
    Path
        The bundle's folder.
    """
    if (run.out / BUNDLE / bundle.CARD).is_file():
        return run.out / BUNDLE
    squares = load_squares(run.items, run.cache / key_of(run.items), run.progress)
    folds = fold_of_items(run.items, run.config.data.folds)
    rows = np.flatnonzero(folds[squares.items] != (-1 if fold is None else fold))
    training = SegmenterTraining(run.config, run.items, squares, rows)
    tensors = training.run(run.out, run.progress)
    trained = [item for item, own in zip(run.items, folds, strict=True) if own != fold]
    digests = [volumes.hash_item(item.path) for item in trained]
    halved = {name: _halved(tensor) for name, tensor in tensors.items()}
    bundle.write_bundle(run.out / BUNDLE, card_of(run, trained, fold), halved, digests)
    return run.out / BUNDLE


def _halved(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def key_of(items: Sequence[Outlined]) -> str:
    """Names what is cut of the present content of the files."""
    digest = hashlib.sha256()
    for item in items:
        for path in (item.path, item.mask, item.brain):
            digest.update(f"{path}\0{volumes.make_file_stamp(path) if path else ''}\0".encode())
        digest.update(f"{item.planes}\n".encode())
    return digest.hexdigest()[:32]


def card_of(run: SegmentationRun, trained: Sequence[Outlined], fold: int | None) -> ModelCard:
    """The card of a segmenter; its figures are filled in when it was judged."""
    said, data, model = run.config.card, run.config.data, run.config.model
    name = said.name or model.architecture
    return ModelCard(
        name=name,
        version=said.version,
        title=said.title or name,
        architecture=Architecture(model.architecture, dict(model.options)),
        classes=data.classes,
        labels={one: said.labels.get(one, one) for one in data.classes},
        no_tumour=data.no_tumour,
        preprocessing=Preprocessing(size=model.size),
        weights=Weights("", 0),
        created=datetime.now(UTC).date().isoformat(),
        summary=said.summary,
        intended_use=said.intended_use,
        limits=said.limits,
        licence=said.licence,
        training={
            "collections": counts_of(trained),
            "held_out_fold": fold,
            "settings": export_plain(run.config),
            "command": run.command,
        },
        figures={},
        references=said.references,
        segmentation=run.config.rules,
    )


def with_figures(folder: Path, crossval: Path) -> None:
    """Put the figures of a cross-validation by the same settings on a bundle's card."""
    figures = json.loads((crossval / FIGURES).read_text("utf-8"))
    card = replace(bundle.read_card(folder), figures={"cross_validation": figures})
    write_text(folder / bundle.CARD, schema.to_json(card))


def counts_of(items: Sequence[Outlined]) -> dict[str, dict[str, int]]:
    """Items and groups of each collection."""
    names = sorted({item.collection for item in items})
    own = {name: [item for item in items if item.collection == name] for name in names}
    return {
        name: {"items": len(some), "groups": len({item.group for item in some})}
        for name, some in own.items()
    }


def crossval_segmenter(run: SegmentationRun, folds: Sequence[int]) -> dict[str, Any]:
    """Train and judge some folds, and summarise all that are finished.

    Each part of the items is judged by the network that was trained on the others.
    """
    for fold in folds:
        part = replace(run, out=run.out / f"fold-{fold}")
        model = fit_segmenter(part, fold)
        belongs = fold_of_items(run.items, run.config.data.folds)
        held = [item for item, own in zip(run.items, belongs, strict=True) if own == fold]
        judge_segmenter(model, held, part.out, run.progress)
    records = [
        one for path in sorted(run.out.glob(f"fold-*/{RECORDS}")) for one in read_records(path)
    ]
    finished = sorted(int(path.parent.name[5:]) for path in run.out.glob(f"fold-*/{FIGURES}"))
    figures = {"folds": finished, **summarise(records)}
    write_json(run.out / FIGURES, figures)
    return figures


def judge_segmenter(
    model: Path, items: Sequence[Outlined], out: Path, progress: Progress
) -> dict[str, Any]:
    """Judge a bundle on items, a record each; those that stand in the folder are kept."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / RECORDS
    done = {one.name for one in read_records(path)} if path.is_file() else set()
    finder = load_finder(model)
    torch.set_grad_enabled(False)
    with path.open("a", encoding="utf-8") as file:
        for number, item in enumerate(items, 1):
            if item.name not in done:
                file.write(json.dumps(as_json(judge_item(finder, item))) + "\n")
            progress("judging", number, len(items))
    torch.set_grad_enabled(True)
    records = read_records(path)
    figures = summarise(records)
    write_json(out / FIGURES, figures)
    write_report(out / REPORT, finder.card.title, figures, records, items, finder)
    return figures


def read_records(path: Path) -> list[Record]:
    """The records of a file that :func:`judge_segmenter` wrote; a line cut short is left out."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            continue
        content["found"] = tuple(Found(**_tupled(Found, one)) for one in content["found"])
        found.append(Record(**_tupled(Record, content)))
    return found


def _tupled(kind: type[Any], content: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {
        name: tuple(map(tuple, value)) if name == "expert_boxes" else value
        for name, value in content.items()
        if name in names
    }
