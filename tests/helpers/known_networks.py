"""Networks whose answer to a small transformation is known: functions of images (B, 3, S, S) in any precision."""

import torch


def constant(classes=4):
    """The same logits for every image."""
    return lambda images: torch.linspace(0, 1, classes, dtype=images.dtype).expand(len(images), -1)


class Shiftable:
    """Circular convolution, ReLU, a mean (or the largest) over every `stride`-th place, and a linear layer; float64."""

    def __init__(self, stride=1, largest=False, classes=5, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.kernel = torch.randn(8, 3, 5, 5, generator=generator, dtype=torch.float64)
        self.head = torch.randn(8, classes, generator=generator, dtype=torch.float64)
        self.stride, self.largest = stride, largest

    def __call__(self, images):
        padded = torch.nn.functional.pad(images.double(), (2, 2, 2, 2), mode="circular")
        features = torch.nn.functional.conv2d(padded, self.kernel).relu()[:, :, :: self.stride, :: self.stride]
        pooled = features.amax(dim=(2, 3)) if self.largest else features.mean(dim=(2, 3))
        return 3 * (pooled - pooled.mean(dim=1, keepdim=True)) @ self.head


def pixel_reader(row, column, classes=8):
    """The class is the brightness of one red pixel, in so many steps."""

    def read(images):
        steps = (classes * images[:, 0, row, column]).floor().clamp(max=classes - 1).long()
        return 9.0 * torch.nn.functional.one_hot(steps, classes).to(images.dtype)

    return read


def stripes(gain):
    """Logits (s, -s), s the sum of the red rows with alternating signs; (B, 2)."""

    def read(images):
        signs = 1 - 2.0 * (torch.arange(images.shape[-2]) % 2)
        s = gain * (signs[:, None].to(images.dtype) * images[:, 0]).sum(dim=(1, 2))
        return torch.stack((s, -s), dim=1)

    return read


def black_counter(threshold):
    """Class 1 where more than `threshold` pixels are exactly black."""

    def count(images):
        over = (images == 0).all(dim=1).sum(dim=(1, 2)).to(images.dtype) - threshold
        return torch.stack((-over, over), dim=1)

    return count


def halves(images):
    """The sign of the mean of the left half minus that of the right half; (B, 2)."""
    middle = images.shape[-1] // 2
    difference = images[..., :middle].mean(dim=(1, 2, 3)) - images[..., middle:].mean(dim=(1, 2, 3))
    return torch.stack((difference, -difference), dim=1)


def agreeing(first, second, classes=8):
    """The class that two pixels agree on, each read as by `pixel_reader`; where they do not, one that neither says."""
    readers = [pixel_reader(*place, classes) for place in (first, second)]

    def read(images):
        votes = sum(reader(images) for reader in readers) / 9
        return torch.where(votes == 1, 0.0, votes + 1)

    return read


def redundant(first, second, classes=8):
    """The class that the second of two pixels says; where that is black, the first."""
    readers = [pixel_reader(*place, classes) for place in (first, second)]

    def read(images):
        is_lit = images[:, 0, second[0], second[1]] > 0
        return torch.where(is_lit[:, None], readers[1](images), readers[0](images))

    return read
