"""Fixtures of the networks' tests."""

from tests.networks.made import small_transformers

__all__ = ["small_transformers"]
