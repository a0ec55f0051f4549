"""What a network cannot do by what it is made of is not looked for at every stimulus; anything else is."""

import pytest
import torch

from harness import load_plugins
from harness.engine.limits import Limits, is_built_in, limits_of
from harness.engine.normalization import Normalized, normalized
from tests.helpers.engine import Shades


class Own(torch.nn.Module):
    def forward(self, images):
        return images.flatten(1)


def plain():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU(inplace=True), torch.nn.Flatten())


def behind(network):
    return normalized(network, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def hooked(network, module):
    module.register_forward_pre_hook(lambda module, images: None)
    return network


def replaced(network):
    network.forward = lambda images: images.mul_(0)
    return network


class Derived(Normalized):
    """Its `forward` may be another."""


DERIVED = Derived(plain(), (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    ("network", "limits"),
    [
        (behind(plain()), Limits(leaves_images=True, leaves_settings=True)),
        (behind(Own()), Limits(leaves_images=True, leaves_settings=False)),
        (plain(), Limits(leaves_images=False, leaves_settings=True)),
        (normalized(plain(), None, None), Limits(leaves_images=False, leaves_settings=True)),
        (torch.nn.Sequential(plain(), Own()), Limits(leaves_images=False, leaves_settings=False)),
        (hooked(network := behind(plain()), network), Limits(leaves_images=False, leaves_settings=False)),
        (hooked(network := behind(plain()), network.network[1]), Limits(leaves_images=True, leaves_settings=False)),
        (replaced(behind(plain())), Limits(leaves_images=False, leaves_settings=False)),
        (DERIVED, Limits(leaves_images=False, leaves_settings=False)),
        (torch.fx.symbolic_trace(plain()), Limits(leaves_images=False, leaves_settings=False)),
    ],
)
def test_limits(network, limits):
    assert limits_of(network) == limits


@pytest.mark.parametrize("inner", [torch.nn.ReLU(inplace=True), torch.nn.Hardtanh(inplace=True), replaced(Own())])
def test_what_is_behind_a_normalization_cannot_change_the_images(inner):
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    network = behind(inner)
    assert limits_of(network).leaves_images
    assert not torch.equal(network(images), before) and torch.equal(images, before)


def test_probes_of_the_harness_and_others():
    assert all(map(is_built_in, load_plugins(entry_points=False).probes.values()))
    assert not is_built_in(Shades())
