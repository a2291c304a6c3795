"""The answer for a study to JSON and back: ``studies`` of ``classify --json``, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tumorviewer.analysis.finding import ModelIdentity
from tumorviewer.analysis.whole_study.study_answer import SeriesRead, StudyAnswer, StudyCandidate


def study_answer_to_json(answer: StudyAnswer, masks: Sequence[Path | None] = ()) -> dict[str, Any]:
    """What ``classify --json`` prints of one study.

    Parameters
    ----------
    masks
        Where :func:`tumorviewer.export.mask_file.save_mask` put the outline of each candidate.
    """
    files = [*masks, *[None] * (len(answer.candidates) - len(masks))]
    return {
        "source": answer.source,
        "answer": answer.answer,
        "named_class": answer.named_class,
        "named_classes": list(answer.named_classes),
        "reason": answer.reason,
        "series_read": asdict(answer.series_read) if answer.series_read else None,
        "present": list(answer.present),
        "no_tumour": answer.no_tumour,
        "doubts": list(answer.doubts),
        "models": [asdict(one) for one in answer.models],
        "candidates": [
            _candidate(one, file) for one, file in zip(answer.candidates, files, strict=True)
        ],
    }


def study_answer_from_json(
    document: Mapping[str, Any],
    masks: Sequence[NDArray[np.uint8]],
    labels: Mapping[str, str],
) -> StudyAnswer:
    """The answer that a document was made of.

    Parameters
    ----------
    masks
        :attr:`StudyCandidate.packed` of each candidate.
    labels
        What a reader sees for each class.
    """
    read = document["series_read"]
    return StudyAnswer(
        source=document["source"],
        answer=document["answer"],
        named_classes=tuple(document["named_classes"]),
        reason=document["reason"],
        series_read=SeriesRead(**read) if read else None,
        present=tuple(document["present"]),
        candidates=tuple(
            _from_json(one, packed)
            for one, packed in zip(document["candidates"], masks, strict=True)
        ),
        doubts=tuple(document["doubts"]),
        models=tuple(ModelIdentity(**one) for one in document["models"]),
        labels=tuple(labels.items()),
        no_tumour=document["no_tumour"],
    )


def _candidate(one: StudyCandidate, mask: Path | None) -> dict[str, Any]:
    return {
        "probability": one.probability,
        "probabilities": one.probabilities,
        "named_class": one.named_class,
        "named_classes": list(one.named_classes),
        "volume_ml": one.volume_ml,
        "diameters_mm": list(one.diameters_mm) if one.diameters_mm else None,
        "centre_mm": list(one.centre_mm) if one.centre_mm else None,
        "slices": list(one.slices),
        "key_slice": one.key_slice,
        "shape": list(one.shape),
        "mask": str(mask) if mask else None,
    }


def _from_json(content: Mapping[str, Any], packed: NDArray[np.uint8]) -> StudyCandidate:
    diameters, centre = content["diameters_mm"], content["centre_mm"]
    slices, rows, columns = content["shape"]
    return StudyCandidate(
        probability=content["probability"],
        probabilities=dict(content["probabilities"]),
        named_classes=tuple(content["named_classes"]),
        volume_ml=content["volume_ml"],
        diameters_mm=(diameters[0], diameters[1]) if diameters else None,
        centre_mm=(centre[0], centre[1], centre[2]) if centre else None,
        slices=tuple(content["slices"]),
        key_slice=content["key_slice"],
        packed=packed,
        shape=(slices, rows, columns),
    )
