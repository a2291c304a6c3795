"""Whom a model was trained on: sizes, intensities, and what DICOM says of scanners and patients."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from trainer.data import volumes
from trainer.data.items import LabelledItem
from trainer.tools.parallel import map_in_processes
from trainer.tools.progress import Progress
from tumorviewer.analysis.trust.training_cohort import (
    PERCENTILES,
    Facts,
    collect_facts,
    measure_intensities,
)
from tumorviewer.errors import InputError
from tumorviewer.models.trust_measures import Cohort
from tumorviewer.study.sniffing import FileKind, guess_kind_by_name

if TYPE_CHECKING:  # else each of the processes that read headers would import torch
    from trainer.trust.model_outputs import ModelOutputs

_LEAST = 0.5
"""What fewer of the items say is left out: it would describe the few, and not the cohort."""


def describe_cohort(evidence: ModelOutputs, progress: Progress) -> Cohort:
    """The training items' distribution of everything that is known of them."""
    rows = evidence.split.train
    items = [evidence.material.dataset.items[row] for row in rows]
    paths = list(dict.fromkeys(item.path for item in items))
    found = dict(zip(paths, map_in_processes(_facts, paths, "headers", progress), strict=True))
    cohort = summarise_facts([found[item.path] for item in items])
    measured = measure_intensities(evidence.material.pictures.array[np.sort(rows)])
    of_pictures = {key: _percentiles(values) for key, values in measured.items()}
    sources = _shares(_sources(items))
    return Cohort(
        cohort.numbers | of_pictures,
        cohort.shares | ({"source": sources} if sources else {}),
    )


def summarise_facts(known: list[Facts]) -> Cohort:
    """What at least half of the items say."""
    numbers: defaultdict[str, list[float]] = defaultdict(list)
    words: defaultdict[str, list[str]] = defaultdict(list)
    for one in known:
        for key, value in one.numbers.items():
            numbers[key].append(value)
        for key, text in one.words.items():
            words[key].append(text)
    enough = partial(_is_enough, len(known))
    return Cohort(
        {key: _percentiles(values) for key, values in numbers.items() if enough(values)},
        {key: _shares(texts) for key, texts in words.items() if enough(texts)},
    )


def _is_enough(count: int, values: list[float] | list[str]) -> bool:
    return len(values) >= _LEAST * count


def _percentiles(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(one), 4) for one in np.percentile(list(values), PERCENTILES))


def _shares(texts: Iterable[str]) -> dict[str, float]:
    counts = Counter(texts)
    return {text: round(n / counts.total(), 4) for text, n in counts.most_common()}


def _sources(items: list[LabelledItem]) -> list[str]:
    return [item.source for item in items if item.source]


def _facts(path: Path) -> Facts:
    """What cannot be read is not known."""
    try:
        if guess_kind_by_name(path.name) is FileKind.PICTURE:
            with Image.open(path) as picture:
                return collect_facts({}, None, (1, picture.height, picture.width))
        study, volume = volumes.open_only_volume(path)
    except (InputError, OSError):
        return Facts()
    return collect_facts(study.series[0].tags, volume.affine, volume.shape)
