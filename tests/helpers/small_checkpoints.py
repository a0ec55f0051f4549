"""Fixtures of a small network, its weights, the weights of another, and images to compare their answers on."""

import pytest

from tests.helpers.layouts import small_network, some_images


@pytest.fixture(scope="module")
def network():
    return small_network(seed=1)


@pytest.fixture(scope="module")
def state(network):
    return network.state_dict()


@pytest.fixture(scope="module")
def other():
    return small_network(seed=2).state_dict()


@pytest.fixture(scope="module")
def images():
    return some_images()
