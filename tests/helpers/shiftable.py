"""Networks that halve the sides of their maps in different ways, with circular padding; and one convolution."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class EverySecond(nn.Module):
    """Every second place of maps (N, C, h, w): as they are, after a blur, or of the strongest of the four grids."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, maps):
        if self.kind == "blur-pool":
            steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
            maps = sum(maps.roll((y, x), (2, 3)) * (2 - abs(y)) * (2 - abs(x)) / 16 for y, x in steps)
        grids = torch.stack([maps[:, :, y::2, x::2] for y in (0, 1) for x in (0, 1)], dim=1)
        strongest = grids.double().square().sum(dim=(2, 3, 4)).argmax(dim=1) if self.kind == "aps" else 0
        return grids[torch.arange(len(maps)), strongest]


def stage(before, after, kind):
    """A circular convolution, a ReLU, and every second place."""
    convolution = nn.Conv2d(before, after, 3, padding=1, padding_mode="circular")
    return nn.Sequential(convolution, nn.ReLU(), EverySecond(kind))


class Halving(nn.Module):
    """Three stages, and a head of ten logits on the means of the channels."""

    def __init__(self, kind, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.stages = nn.Sequential(*(stage(before, after, kind) for before, after in ((3, 6), (6, 8), (8, 12))))
        self.classify = nn.Linear(12, 10)

    def forward(self, images):
        return self.classify(self.stages(images - 0.5).mean(dim=(2, 3)))

    def maps(self, images):
        """The output of each stage."""
        maps = [images - 0.5]
        with torch.inference_mode():
            for halving in self.stages:
                maps.append(halving(maps[-1]))
        return maps[1:]


def _image_and_kernels(side):
    rng = np.random.default_rng(0)
    return rng.random((3, side, side)), rng.normal(size=(2, 3, 3, 3))


def dense_map(side):
    """(2, side, side) float64 of a circular convolution of stride 1 and a ReLU, by the convolution theorem."""
    image, kernels = _image_and_kernels(side)
    padded = np.zeros((2, 3, side, side))
    padded[:, :, :3, :3] = kernels[:, :, ::-1, ::-1]  # that of networks does not turn its kernel
    product = np.fft.fft2(padded) * np.fft.fft2(image)
    return np.maximum(np.roll(np.fft.ifft2(product.sum(axis=1)).real, (-1, -1), (1, 2)), 0)


def rolled_maps(side, stride):
    """(rows, columns) -> (1, 2, side / stride, …) of the image rolled so far: every `stride`-th place."""
    image, kernels = _image_and_kernels(side)
    maps = {}
    for offset in np.ndindex(stride, stride):
        shown = torch.from_numpy(np.roll(image, offset, (1, 2)))[None]
        around = functional.pad(shown, (1, 1, 1, 1), mode="circular")
        maps[offset] = functional.conv2d(around, torch.from_numpy(kernels)).relu()[:, :, ::stride, ::stride]
    return maps
