"""Which layers a network has, which a probe sees, and that nobody notices."""

from dataclasses import dataclass, replace

import pytest
import torch

from harness import PluginError, RequestError, UnknownNameError
from harness.features import stages
from harness.layers import chosen, layers_in, tapped
from tests.helpers.features import Conv, Means

IMAGES = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def network():
    return Conv().eval()


@pytest.fixture(scope="module")
def layers(network):
    with torch.inference_mode():
        return layers_in(network, network, IMAGES[:1])


def test_every_module_in_the_order_of_the_calls(layers):
    assert dict(layers.shapes) == {
        "first.0": (4, 32, 32),
        "first.1": (4, 32, 32),
        "first": (4, 32, 32),
        "second.0": (6, 16, 16),
        "second.1": (6, 16, 16),
        "second": (6, 16, 16),
        "classify": (10,),
    }
    assert layers.head == "classify"


def test_activations_are_copies_and_logits_are_the_same_bits(network, layers):
    with torch.inference_mode():
        plain = network(IMAGES)
        with tapped(layers, ["first.0", "second", "head", "classify"]) as seen:
            assert torch.equal(network(IMAGES), plain)
        convolved = network.first[0](IMAGES)
        assert torch.equal(seen["first.0"], convolved) and (convolved < 0).any()  # before the activation in place
        assert torch.equal(seen["second"], network.second(convolved.relu()))
        assert torch.equal(seen["head"], seen["second"].mean(dim=(2, 3))) and torch.equal(seen["classify"], plain)
        assert all(values.dtype == torch.float32 for values in seen.values())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_hooks_are_removed_after_an_error(network, layers):
    with pytest.raises(RuntimeError, match="channels"), tapped(layers, ["first", "head"]):
        network(IMAGES[:, :2])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


class Convolved(torch.nn.Module):
    """Its head is a convolution of one pixel, behind which nothing is left but its shape."""

    def __init__(self):
        super().__init__()
        self.body, self.score = torch.nn.Conv2d(3, 8, 4, stride=4), torch.nn.Conv2d(8, 10, 1)

    def forward(self, images):
        return self.score(self.body(images).mean(dim=(2, 3), keepdim=True)).flatten(1)


def test_a_convolution_can_be_the_head():
    network = Convolved()
    with torch.inference_mode():
        layers = layers_in(network, network, IMAGES[:1])
        assert layers.head == "score"
        with tapped(layers, ["head"]) as seen:
            logits = network(IMAGES)
        weight, bias = network.score.weight.flatten(1), network.score.bias
        assert torch.allclose(torch.nn.functional.linear(seen["head"], weight, bias), logits, atol=1e-6)


def test_words_names_and_lists_of_ones_own(layers):
    assert chosen(Means(), layers, "net") == ("first", "second", "head")
    assert chosen(Means(layers=("second.0", "head", "second.0")), layers, "net") == ("second.0", "head")

    @dataclass(frozen=True, kw_only=True)
    class Own(Means):
        def layers_of(self, modules):
            return [name for name, shape in modules.items() if shape[1:] == (16, 16)]

    assert chosen(Own(), layers, "net") == ("second.0", "second.1", "second")


def test_hostile_names_are_refused_in_one_line(layers):
    with pytest.raises(UnknownNameError) as error:
        chosen(Means(layers=("secnd", "head")), layers, "net")
    assert str(error.value).startswith("unknown layer of net 'secnd'; did you mean 'second'")
    assert "first.0" in str(error.value) and "Needed by probe means" in str(error.value)
    headless = replace(layers, head="")
    with pytest.raises(RequestError, match="needs the head of net, whose last module is no linear layer"):
        chosen(Means(), headless, "net")
    with pytest.raises(RequestError, match="sees no layer of net"):
        chosen(Means(layers=()), layers, "net")

    @dataclass(frozen=True, kw_only=True)
    class Wrong(Means):
        def layers_of(self, modules):
            return "head" if self.fault else [3]

    for probe in (Wrong(), Wrong(fault="text")):
        with pytest.raises(PluginError, match="layers_of returned"):
            chosen(probe, layers, "net")


STAGES = {
    "resnet18": ("act1", "layer1", "layer2", "layer3", "layer4"),
    "efficientnet_lite0": ("blocks.0", "blocks.1", "blocks.2", "blocks.4", "bn2"),
    "mobilenetv3_small_050": ("bn1", "blocks.0", "blocks.1", "blocks.3", "blocks"),
}


@pytest.mark.parametrize("name", STAGES)
def test_stages_of_well_known_networks(name):
    import timm

    network = timm.create_model(name).eval()
    with torch.inference_mode():
        layers = layers_in(network, network, torch.rand(1, 3, 64, 64))
    assert stages(layers.shapes) == STAGES[name]
    assert layers.head == {"resnet18": "fc"}.get(name, "classifier")


def test_a_block_that_halves_by_a_function_ends_its_stage_as_one_that_halves_by_a_module():
    """Shapes as a VGG has them: two blocks of two convolutions, each halved at its end."""
    convolutions = {"one.a": (8, 64, 64), "one.b": (8, 64, 64)}
    by_module = {**convolutions, "one.pool": (8, 32, 32), "one": (8, 32, 32), "two.a": (8, 32, 32)}
    by_function = {name: shape for name, shape in by_module.items() if name != "one.pool"}
    following = {"two.b": (8, 32, 32), "two": (8, 16, 16)}
    assert stages({**by_module, **following})[1:] == stages({**by_function, **following})[1:] == ("one", "two")
