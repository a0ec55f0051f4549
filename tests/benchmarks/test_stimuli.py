"""Probe and reference in turns, by made durations; nothing is timed."""

from benchmarks import stimuli


class Side:
    """Takes as many seconds as it has been called, the probe ten times as many."""

    def __init__(self, name, order, factor):
        self.name, self.order, self.factor = name, order, factor

    def times(self):
        self.order.append(self.name)
        return self.factor * len(self.order), 1.0


def test_each_side_goes_first_as_often_and_drift_cancels():
    order = []
    wall, processor = stimuli._round(Side("reference", order, 1), Side("probe", order, 10))
    assert order == ["reference", "probe", "probe", "reference"] * 2
    assert wall.first / wall.second == 0.1  # although each call takes longer than the one before
    assert wall.halves[0] == wall.halves[1]
    assert (processor.first, processor.second) == (4, 4)


def test_a_reference_and_its_probe_make_what_they_say():
    """The reference makes single images; per stimulus, both counts are those of the probe's conditions."""
    for name, images in zip(stimuli.REFERENCES, (4, 1, 1), strict=True):
        reference, probe = stimuli._sides(name, samples=4)
        conditions = probe.stimuli // 4
        assert reference.stimuli == images * conditions
