"""What a saliency map explains: a class, or a class rather than another. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ContrastiveTarget:
    """Why this class; or why this class and not another."""

    target: int
    """Its place among the logits."""
    against: int | None = None
    """That of the other."""

    def __call__(self, logits_K: Any) -> Any:
        """What is explained, of an array or a tensor ``(…, K)``: a score, or the difference of two
        (contrastive explanation)."""
        score = logits_K[..., self.target]
        return score if self.against is None else score - logits_K[..., self.against]
