"""Marks of a picture, read back from the axes of matplotlib."""

import numpy as np
import pytest

from harness.output.scales import panels_of


def drawn_marks(figure):
    """(panel, label, style) -> (n, 2) places of the marks as drawn; skips the test without matplotlib."""
    pytest.importorskip("matplotlib", reason="the extra `figures` is not installed")
    from harness.output.drawing import to_canvas

    found = {}
    for panel, axes in zip(panels_of(figure), to_canvas(figure).axes, strict=True):
        marked = [series for series in panel.all if series.style != "reference"]
        for series, collection in zip(marked, axes.collections, strict=True):
            found[panel.title, series.label, series.style] = np.asarray(collection.get_offsets())
    return found
