"""Volume and model to Finding: preprocess, predict, pool slices, explain.

Everything that needs torch runs in its own process (``analysis.worker``); importing this package
or ``analysis.finding`` does not import torch.
"""
