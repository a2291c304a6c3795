"""What the records of a judged table amount to, with 95 % intervals by bootstrap over patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.evaluation.bootstrap import compute_interval, draw_resamples, round_metric
from trainer.segmentation.detection import OVERLAPS, Detected, free_response, match_detections
from trainer.segmentation.judge import Record

Floats = NDArray[np.float64]
_RESAMPLES, _RESAMPLES_OF_AP = 1000, 200


def summarise(records: Sequence[Record]) -> dict[str, Any]:
    """Figures of images with and without a tumour, and of volumes with and without one."""
    images = [one for one in records if one.slices == 1]
    volumes = [one for one in records if one.slices > 1]
    outlined = [one for one in images if one.expert_voxels]
    empty = [one for one in images if not one.expert_voxels]
    return {
        "images_with_tumour": _of_outlined(outlined) if outlined else {},
        "images_without_tumour": _of_empty(empty) if empty else {},
        "detection": _of_boxes(images) if outlined else {},
        "kinds": _of_kinds(outlined) if outlined else {},
        "volumes_with_tumour": _of_volumes([one for one in volumes if one.expert_voxels]),
        "volumes_without_tumour": _of_clean([one for one in volumes if not one.expert_voxels]),
    }


def _groups(records: Sequence[Record]) -> NDArray[np.int64]:
    return np.unique([one.group for one in records], return_inverse=True)[1].astype(np.int64)


def mean_of(values: Sequence[float], groups: NDArray[np.int64]) -> dict[str, Any]:
    """Mean of what is known, with its interval."""
    array = np.asarray(values, np.float64)
    known = ~np.isnan(array)
    drawn = [
        _weighted(array[known], weight[known]) for weight in draw_resamples(groups, _RESAMPLES)
    ]
    return {
        "value": round_metric(float(array[known].mean())) if known.any() else None,
        "interval": compute_interval(np.array(drawn)),
        "n": int(known.sum()),
    }


def _weighted(values: Floats, weight: Floats) -> float:
    return float(weight @ values / weight.sum()) if weight.sum() else float("nan")


def _of_outlined(records: Sequence[Record]) -> dict[str, Any]:
    groups = _groups(records)
    nan = float("nan")
    columns: dict[str, Callable[[Record], float]] = {
        "dice": lambda one: nan if one.dice is None else one.dice,
        "found": lambda one: float(one.hit > 0),
        "dice_where_found": lambda one: one.dice if one.hit and one.dice is not None else nan,
        "hd95_mm": lambda one: nan if one.hd95 is None else one.hd95,
        "assd_mm": lambda one: nan if one.assd is None else one.assd,
        "lesions_found": lambda one: one.hit / one.lesions,
        "false_findings": lambda one: float(one.false),
    }
    figures: dict[str, Any] = {
        name: mean_of([column(one) for one in records], groups) for name, column in columns.items()
    }
    column = columns["dice"]
    by_label = defaultdict(list)
    for one in records:
        by_label[one.label].append(one)
    figures["by_label"] = {
        label: {
            "n": len(own),
            "dice": round_metric(float(np.nanmean([column(one) for one in own]))),
            "found": round_metric(float(np.mean([one.hit > 0 for one in own]))),
        }
        for label, own in sorted(by_label.items())
    }
    return {"n": len(records), "groups": int(groups.max()) + 1, **figures}


def _of_empty(records: Sequence[Record]) -> dict[str, Any]:
    groups = _groups(records)
    false = [float(one.false) for one in records]
    with_any = sum(one.false > 0 for one in records)
    return {
        "n": len(records),
        "groups": int(groups.max()) + 1,
        "with_any": with_any,
        "false_findings": mean_of(false, groups),
    }


def detections(records: Sequence[Record]) -> list[Detected]:
    """Boxes of images, whether or not the rules keep them."""
    return [
        Detected(
            np.array([found.box for found in one.found], np.float64).reshape(-1, 4),
            np.array([found.probability for found in one.found], np.float64),
            np.array(one.expert_boxes, np.float64).reshape(-1, 4),
        )
        for one in records
    ]


def _of_boxes(records: Sequence[Record]) -> dict[str, Any]:
    images, groups = detections(records), _groups(records)
    matched = [match_detections(images, overlap) for overlap in OVERLAPS]
    drawn = [
        [one.precision(weight) for one in matched]
        for weight in draw_resamples(groups, _RESAMPLES_OF_AP)
    ]
    ap = np.array(drawn)
    precisions = [one.precision() for one in matched]
    hits = [
        max(found.probability for found in one.found if found.overlap)
        for one in records
        if any(found.overlap for found in one.found)
    ]
    false = [found.probability for one in records for found in one.found if not found.overlap]
    return {
        "n": len(records),
        "ap50": {"value": round_metric(precisions[0]), "interval": compute_interval(ap[:, 0])},
        "ap50_95": {
            "value": round_metric(float(np.mean(precisions))),
            "interval": compute_interval(ap.mean(1)),
        },
        "froc": free_response(
            hits, false, sum(one.expert_voxels > 0 for one in records), len(records)
        ),
    }


def _of_kinds(records: Sequence[Record]) -> dict[str, Any]:
    """Accuracy of the kinds, by image and by patient: the mean of a patient's images."""
    groups = _groups(records)
    right = [float(_most(one.classes) == one.label) for one in records]
    of_patient: dict[str, list[Record]] = defaultdict(list)
    for one in records:
        of_patient[one.group].append(one)
    voted = []
    for own in of_patient.values():
        names = own[0].classes
        total = {name: sum(one.classes[name] for one in own) for name in names}
        voted.append(float(_most(total) == own[0].label))
    confusion: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in records:
        confusion[one.label][_most(one.classes)] += 1
    return {
        "by_image": mean_of(right, groups),
        "by_patient": mean_of(voted, np.arange(len(voted))),
        "confusion": {label: dict(own) for label, own in sorted(confusion.items())},
    }


def _most(classes: dict[str, float]) -> str:
    return max(classes, key=classes.__getitem__)


def _of_volumes(records: Sequence[Record]) -> dict[str, Any]:
    if not records:
        return {}
    return {
        "n": len(records),
        "patients": len({one.group for one in records}),
        "found": sum(one.hit > 0 for one in records),
        "best_candidate_is_on_it": sum(_first_hits(one) for one in records),
        "named_right": sum(_named(one) == one.label for one in records),
        "false_findings": sum(one.false for one in records),
        "dice": mean_of([one.dice or 0.0 for one in records], _groups(records)),
        "lesions": sum(one.lesions for one in records),
        "lesions_found": sum(one.hit for one in records),
    }


def _of_clean(records: Sequence[Record]) -> dict[str, Any]:
    if not records:
        return {}
    return {
        "n": len(records),
        "patients": len({one.group for one in records}),
        "with_any": sum(one.false > 0 for one in records),
        "false_findings": sum(one.false for one in records),
    }


def _first_hits(one: Record) -> bool:
    kept = [found for found in one.found if found.kept]
    return bool(kept) and kept[0].overlap > 0


def _named(one: Record) -> str:
    kept = [found for found in one.found if found.kept]
    return _most(kept[0].classes) if kept else ""
