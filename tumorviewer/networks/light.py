"""The light CNN: separable convolutions with squeeze-and-excitation.

After "Efficient Brain Tumor Classification with Lightweight CNN Architecture: A Novel Approach",
arXiv:2502.01674: separable convolutions, squeeze-and-excitation blocks, batch normalisation,
dropout, and global average pooling in place of wide dense layers. ``light`` keeps that plain stack;
``light_residual`` adds identity shortcuts and a stride schedule that leaves the saliency map at a
16th of the input side.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tumorviewer.networks.registry import Classifier, Normalise, register_architecture


class SqueezeExcitation(nn.Module):
    """Channel attention (Hu et al., CVPR 2018)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        squeezed = max(8, channels // reduction)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Scale each channel by its gate."""
        scaled: Tensor = x_NCHW * self.gate(x_NCHW)
        return scaled


def separable_convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Depthwise 3×3, pointwise 1×1, each with batch normalisation; ReLU at the end."""
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Full 3×3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def pooling_head(channels: int, classes: int, dropout: float) -> nn.Sequential:
    """Global average, dropout, linear: ``(N, C, H, W)`` to ``(N, K)``."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, classes)
    )


class PooledClassifier(Classifier):
    """Ends in :func:`pooling_head`, so that its class activation maps (Zhou et al., CVPR 2016) are
    one linear step away and their mean, with the bias, is the logit."""

    is_guidable = True

    def scores(self, maps_NCHW: Tensor) -> Tensor:
        """Class activation maps ``(N, K, H, W)``."""
        linear = self.get_submodule("head.3")
        assert isinstance(linear, nn.Linear)
        return functional.conv2d(maps_NCHW, linear.weight[:, :, None, None])


class LightCNN(PooledClassifier):
    """Four stages of two separable convolutions and a squeeze-and-excitation block."""

    input_size = 224
    upper = ("trunk.17.", "trunk.18.", "trunk.19.", "head.")

    def __init__(self, classes: int, width: int, dropout: float) -> None:
        super().__init__()
        stages: list[nn.Module] = [Normalise([0.5], [0.25]), convolution(1, width, 2)]
        channels = width
        for stage in range(4):
            outputs = width * 2 ** (stage + 1)
            stages += [
                separable_convolution(channels, outputs),
                separable_convolution(outputs, outputs),
                SqueezeExcitation(outputs),
            ]
            if stage < 3:
                stages.append(nn.MaxPool2d(2))
            stages.append(nn.Dropout2d(dropout / 4))
            channels = outputs
        self.trunk = nn.Sequential(*stages)
        self.head = pooling_head(channels, classes, dropout)


class ResidualBlock(nn.Module):
    """Two separable convolutions and squeeze-and-excitation around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            separable_convolution(inputs, outputs, stride),
            *list(separable_convolution(outputs, outputs))[:-1],
            SqueezeExcitation(outputs),
        )
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Body plus shortcut, rectified."""
        out: Tensor = self.activation(self.body(x_NCHW) + self.shortcut(x_NCHW))
        return out


class LightResidual(PooledClassifier):
    """The light CNN with shortcuts; its feature map is a 16th of the input side."""

    input_size = 224

    def __init__(self, classes: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        stages: list[nn.Module] = [
            Normalise([0.5], [0.25]),
            convolution(1, width, 2),
            convolution(width, width, 1),
        ]
        channels = width
        for outputs, stride in ((2 * width, 2), (4 * width, 2), (8 * width, 2), (12 * width, 1)):
            stages.append(ResidualBlock(channels, outputs, stride))
            stages += [ResidualBlock(outputs, outputs, 1) for _ in range(depth - 1)]
            channels = outputs
        self.trunk = nn.Sequential(*stages)
        self.upper = (*(f"trunk.{len(stages) - depth + i}." for i in range(depth)), "head.")
        self.head = pooling_head(channels, classes, dropout)


@register_architecture("light")
def build_light(classes: int, width: int = 32, dropout: float = 0.3) -> Classifier:
    """Build the light CNN of the paper."""
    return LightCNN(classes, width, dropout)


@register_architecture("light_residual")
def light_residual(
    classes: int, width: int = 32, depth: int = 2, dropout: float = 0.3
) -> Classifier:
    """Build the light CNN with shortcuts."""
    return LightResidual(classes, width, depth, dropout)
