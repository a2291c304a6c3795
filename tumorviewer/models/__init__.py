"""The catalogue of fine-tuned models on this workstation, and the bundle that each one is.

A bundle is a folder: ``card.json`` (a :class:`ModelCard`) and ``model.safetensors``. Nothing in it
is ever executed.
"""

from tumorviewer.models.card import Architecture, ModelCard, Preprocessing, Weights

__all__ = ["Architecture", "ModelCard", "Preprocessing", "Weights"]
