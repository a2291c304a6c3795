"""What is looked at across the planes is upright, to scale, and where the candidate is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tumorviewer.analysis.confirmation import look_across

SIDE = 48


def ball(slices: int, spacing: float) -> NDArray[np.bool_]:
    """A ball of 8 mm radius; pixels are 1 mm."""
    z, y, x = np.indices((slices, SIDE, SIDE)).astype(float)
    distance = np.sqrt(((z - slices // 2) * spacing) ** 2 + (y - 20) ** 2 + (x - 26) ** 2)
    return np.asarray(distance < 8)


@pytest.mark.parametrize(("slices", "spacing"), [(48, 1.0), (24, 2.0), (60, 1.0)])
def test_a_ball_is_round_in_every_plane(slices: int, spacing: float) -> None:
    inside = ball(slices, spacing)
    seen: list[NDArray[np.uint8]] = []

    def ask(squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(squares)
        return (squares / 255).astype(np.float32)

    directions = np.array([[0, 0, 1.0], [0, 1.0, 0], [spacing, 0, 0]])
    answers = look_across((inside * 255).astype(np.uint8), inside, directions, ask)
    assert len(answers) == 2
    assert min(answers) > 0.85
    for squares in seen:
        rows = np.flatnonzero((squares[len(squares) // 2] > 127).any(1))
        columns = np.flatnonzero((squares[len(squares) // 2] > 127).any(0))
        assert abs(len(rows) - len(columns)) <= 2


@pytest.mark.parametrize("towards_the_head", [True, False])
def test_the_head_is_up(towards_the_head: bool) -> None:
    marked = np.zeros((SIDE, SIDE, SIDE), np.uint8)
    top = slice(-4, None) if towards_the_head else slice(0, 4)
    marked[top] = 200
    inside = np.zeros(marked.shape, np.bool_)
    inside[20:28, 20:28, 20:28] = True
    seen: list[NDArray[np.uint8]] = []

    def ask(squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(squares)
        return np.zeros(squares.shape, np.float32)

    step = 1.0 if towards_the_head else -1.0
    directions = np.array([[0, 0, 1.0], [0, 1.0, 0], [step, 0, 0]])
    assert look_across(marked, inside, directions, ask) == [0.0, 0.0]
    for squares in seen:
        assert squares[0, :4].mean() > 150
        assert squares[0, -4:].mean() < 10
