"""Small networks that answer side by side: the same numbers, to the bit, and the same failures."""

import pytest
import torch

from harness.engine.side_by_side import SMALL, SideBySide, is_small
from harness.planning.plan import Settings
from harness.plugins.models._zoo.network import ShapesNet
from harness.store import RunReader
from tests.helpers.engine import arrays_of, run, same, trials

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads an operation, as on a machine of two cores; the tests of this suite run with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def network(*layers, seed=0):
    """Modules of torch alone, with random weights, in evaluation: logits (B, 10) of any image."""
    torch.manual_seed(seed)
    head = (torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(3 * 16, 10))
    return torch.nn.Sequential(*layers, *head).eval().requires_grad_(False)


def networks():
    return {name: network(seed=at) for at, name in enumerate(("first", "second", "third"))}


@pytest.mark.parametrize("downsampling", ["stride", "blur-pool", "aps"])
@pytest.mark.parametrize("images", [1, 7, 64])
def test_answers_side_by_side_are_those_of_one_after_another(downsampling, images):
    torch.manual_seed(0)
    several = {str(at): ShapesNet(downsampling=downsampling).eval().requires_grad_(False) for at in range(3)}
    stimulus = torch.rand(images, 3, 64, 64)
    threads = SideBySide(CPU, Settings())
    with torch.inference_mode():
        answers = threads.answers(several, stimulus)
        assert answers.keys() == several.keys()
        assert torch.get_num_threads() == 2
        torch.set_num_threads(1)
        for name, answer in answers.items():
            torch.testing.assert_close(answer.result(), several[name](stimulus), rtol=0, atol=0)
    threads.close()


def test_a_run_stores_the_same_with_one_thread_and_with_two_alone_and_among_others(tmp_path, monkeypatch):
    used = []
    plain = SideBySide.answers
    monkeypatch.setattr(SideBySide, "answers", lambda self, *given: used.append(set(given[0])) or plain(self, *given))
    assert run(tmp_path / "two", networks())[0] == {}
    assert used and all(names == {"first", "second", "third"} for names in used)
    assert run(tmp_path / "alone", {"second": networks()["second"]})[0] == {}
    used.clear()
    torch.set_num_threads(1)
    assert run(tmp_path / "one", networks())[0] == {}
    assert not used
    two, alone = trials(tmp_path / "two"), trials(tmp_path / "alone")
    assert len(two) == 6
    assert same(two, trials(tmp_path / "one"))
    assert same({place: arrays for place, arrays in two.items() if place[1] == "second"}, alone)


class Late(torch.nn.Sequential):
    """Changes the images that it is given in place, but for those of its first forwards, with which it is tried."""

    forwards = 0

    def forward(self, images):
        Late.forwards += 1
        return super().forward(images.clone() if Late.forwards <= 6 else images)


def test_a_network_that_spoils_the_stimulus_fails_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(Late, "__module__", "torch.nn.made")  # one of a library, so that it is not watched
    monkeypatch.setattr(Late, "forwards", 0)
    spoiler = Late(*network(torch.nn.Hardtanh(0.4, 0.5, inplace=True))).eval()
    failures, _ = run(tmp_path / "spoilt", {"spoiler": spoiler, **networks()})
    assert {model for _, model in failures} == {"spoiler"}, failures
    assert all("changed its input in place" in reason for reason in failures.values())
    assert run(tmp_path / "without", networks())[0] == {}
    spoilt, without = RunReader.open(tmp_path / "spoilt"), trials(tmp_path / "without")
    assert same({place: arrays_of(spoilt.read(*place)) for place in without}, without)


def test_large_networks_and_a_gpu_go_one_after_another():
    side = int(SMALL**0.5)
    assert is_small(torch.nn.Linear(side, side, bias=False))
    assert not is_small(torch.nn.Linear(side + 1, side, bias=False))
    assert SideBySide(torch.device("cuda"), Settings()).threads == 1
    assert SideBySide(CPU, Settings(precision="bf16")).threads == 1
    assert SideBySide(CPU, Settings()).threads == 2


def test_what_a_network_raises_comes_back_when_it_is_asked_for():
    class Broken(torch.nn.Module):
        def forward(self, images):
            raise RuntimeError("boom")

    threads = SideBySide(CPU, Settings())
    answers = threads.answers({"good": network(), "bad": Broken()}, torch.rand(2, 3, 8, 8))
    assert answers["good"].result().shape == (2, 10)
    with pytest.raises(RuntimeError, match="boom"):
        answers["bad"].result()
    threads.close()
