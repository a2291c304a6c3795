"""Metrics on the terminal."""

from __future__ import annotations

from typing import Any


def print_summary(result: dict[str, Any]) -> None:
    """All that ``figures.json`` holds."""
    for name, metrics in result["figures"].items():
        print_metrics(name, metrics)


def print_metrics(name: str, metrics: dict[str, Any]) -> None:
    """A line for each metric, with its interval."""
    print(f"{name.replace('_', ' ')} n {metrics['n']}, {metrics['groups']} groups".strip())
    for key, (low, high) in metrics["intervals"].items():
        if metrics[key] is not None:
            print(f"  {key:18} {metrics[key]:.4f}  ({low:.4f}–{high:.4f})")
    for key in ("twin_share", "copyist_accuracy"):
        if key in metrics:
            print(f"  {key:18} {metrics[key]:.4f}")
