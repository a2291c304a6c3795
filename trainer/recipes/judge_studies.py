r"""What the program answers for whole studies, one volume a study, counted by source.

As ``tumorviewer classify --json --explain none`` answers; outlines are compared with the experts'.

    python trainer/recipes/judge_studies.py $DATA/volumes runs/studies
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.data import volumes
from trainer.tools.atomic_files import read_csv, write_json
from tumorviewer.classify import ClassifySettings, classify_paths
from tumorviewer.models.catalogue import Catalogue


def judge_volumes(data: Path, out: Path) -> Iterator[dict[str, Any]]:
    """A record a volume: source, sequence, label, answer, what was named, and whether an outline
    touches the expert's (None where there is none)."""
    for row in read_csv(data / "volumes.csv"):
        name = row["file"].replace("/", "_").removesuffix(".nii.gz")
        answer = classify_study(data / row["file"], out / name)
        expert = data / row["mask"] if row["mask"] else None
        yield {
            "source": row["dataset"],
            "skull": row["skull"],
            "sequence": row["sequence"],
            "label": row["label"],
            "patient": row["patient"],
            "answer": answer["answer"],
            "named": answer["named_class"],
            "reason": answer["reason"],
            "touches": touches_expert(answer, out / name, expert) if expert else None,
        }


def classify_study(path: Path, out: Path) -> dict[str, Any]:
    """The answer for a volume that is a study by itself, kept in ``out``."""
    kept = out / "answer.json"
    if not kept.is_file():
        models = Catalogue()
        settings = ClassifySettings(
            models.folder(models.default()), method=None, finder=models.finder(), out=out
        )
        write_json(kept, classify_paths([str(path)], settings, lambda _: None).studies[0])
    return dict(json.loads(kept.read_text("utf-8")))


def touches_expert(answer: dict[str, Any], out: Path, expert: Path) -> bool:
    """Whether the outline of any candidate shares a voxel with the expert's."""
    outlined = [read_mask(out / candidate["mask"]) for candidate in answer["candidates"]]
    return any(np.logical_and(one, read_mask(expert)).any() for one in outlined)


def read_mask(path: Path) -> NDArray[np.bool_]:
    """``(slices, rows, columns)``: what is not 0."""
    return np.asarray(volumes.open_only_volume(path)[1].load().array > 0)


def count_answers(records: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """How often what was answered, for each source, kind of skull, sequence and label."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in records:
        key = ", ".join(one[part] for part in ("source", "skull", "sequence", "label"))
        named = one["named"] or "not named"
        counts[key][one["answer"] if one["answer"] != "kind" else f"tumour: {named}"] += 1
        counts[key]["outline touches"] += bool(one["touches"])
    return dict(counts)


def main(data: str, out: str) -> None:
    """Judge, write the records, and print the counts."""
    records = list(judge_volumes(Path(data).resolve(), Path(out).resolve()))
    write_json(Path(out) / "records.json", records)
    for key, counts in sorted(count_answers(records).items()):
        sys.stdout.write(f"{key}: {dict(counts)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
