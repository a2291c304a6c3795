"""Work in batches that fit the memory there is, and answers as probabilities. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tumorviewer.analysis.engines.model import Model
from tumorviewer.errors import InputError
from tumorviewer.language import tr
from tumorviewer.models.card import ModelCard

_T = TypeVar("_T")


def softmax_probabilities(logits_NK: ArrayLike, card: ModelCard) -> NDArray[np.float64]:
    """Softmax of the logits over the card's temperature (Guo et al., ICML 2017).

    Raises
    ------
    InputError
        If a logit is not finite.
    """
    logits = np.asarray(logits_NK, np.float64)
    if not np.isfinite(logits).all():
        raise InputError(
            card.name,
            tr("The model gave an answer that is not a number."),
            tr("Choose another model."),
        )
    scaled = logits / card.temperature
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    answer: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return answer


@dataclass
class Batches:
    """Cuts work into batches; when memory runs out into smaller ones, then moves to the CPU."""

    model: Model
    flags: list[str] = field(default_factory=list)
    """Where memory ran out, in words."""

    def __post_init__(self) -> None:
        self._size = self.model.batch

    def run(
        self, positions: list[int], work: Callable[[list[int]], _T], most: int | None = None
    ) -> Iterator[tuple[list[int], _T]]:
        """``work`` on successive parts of ``positions``, of at most ``most`` each.

        Raises
        ------
        InputError
            If there is not even memory for one at a time on the CPU.
        """
        start = 0
        while start < len(positions):
            part = positions[start : start + min(self._size, most or self._size)]
            try:
                done = work(part)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                done = None
            if done is None:
                self._make_do(len(part))
                continue
            start += len(part)
            yield part, done

    def _make_do(self, tried: int) -> None:
        """With less memory: half the batch, and the CPU when that was one."""
        self.model.free_memory()
        if tried > 1:
            self._size = tried // 2
            self._say(tr("Memory ran short; the slices were computed in smaller batches."))
            return
        before = self.model.computed_by
        if not self.model.move_to_cpu():
            raise InputError(
                self.model.card.name,
                tr("There is not enough memory to run the model."),
                tr("Close other programs, or choose a smaller model."),
            )
        self._say(tr("{name} ran out of memory; the rest was computed on the CPU.", name=before))
        self._size = self.model.batch

    def _say(self, flag: str) -> None:
        if flag not in self.flags:
            self.flags.append(flag)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, ONNX Runtime or NumPy means that memory ran out, on any device."""
    signs = [
        *("out of memory", "can't allocate memory", "not enough memory", "alloc_failed"),
        *("failed to allocate memory", "bad_alloc"),
    ]
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return known or any(sign in str(error).lower() for sign in signs)
