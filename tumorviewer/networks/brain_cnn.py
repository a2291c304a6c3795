"""The small CNN that the second paper trains on 64 × 64 pictures, layer by layer as its Table 1.

==================  =============  ==========
layer               output         parameters
==================  =============  ==========
input               64 × 64 × 3
convolution, ReLU   62 × 62 × 32          896
max pooling         31 × 31 × 32
convolution, ReLU   29 × 29 × 32        9,248
max pooling         14 × 14 × 32
convolution, ReLU   12 × 12 × 64       18,496
max pooling          6 ×  6 × 64
flatten                    2,304
dense, ReLU                   64      147,520
dropout                       64
dense                          K       65 · K
==================  =============  ==========

Convolutions are 3 × 3 without padding. The paper reads colour files; grey goes into all three
channels here, so that the counts are the paper's. The answer is a softmax over K classes, for two
of them equal to one sigmoid unit.
"""

from __future__ import annotations

from torch import nn

from tumorviewer.networks.registry import Classifier, Normalise, register_architecture


class BrainCNN(Classifier):
    """Three convolutions and two dense layers; the map is that of the last convolution."""

    input_size = 64
    smallest = 22
    upper = ("trunk.7.", "head.")
    embedding = 4

    def __init__(self, classes: int, dropout: float) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            Normalise([0.0] * 3, [1.0] * 3),
            nn.Conv2d(3, 32, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Sequential(
            nn.AdaptiveMaxPool2d(6),  # of 12 × 12 the paper's 2 × 2 pooling; takes other sizes too
            nn.Flatten(),
            nn.Linear(2304, 64),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(64, classes),
        )


@register_architecture("brain_cnn")
def brain_cnn(classes: int, dropout: float = 0.5) -> Classifier:
    """Build the small CNN of the second paper."""
    return BrainCNN(classes, dropout)
