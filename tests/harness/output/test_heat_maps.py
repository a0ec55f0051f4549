"""Heat maps as text and as pictures: every number where it belongs, in one scale for all maps."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Figure, HeatMap, RequestError
from harness.output.drawing import to_canvas, to_image
from harness.output.heat_maps import SHADES
from harness.output.plain_drawing import to_text

MAP = HeatMap(title="net", rows=("b", "a"), columns=("1", "2", "4"), values=((0.0, 0.1, 0.2), (0.3, None, 0.5)))
FIGURE = Figure(name="f", title="Error: x_$y$", x_label="radius", y_label="angle", maps=(MAP,), map_label="increase")


def test_shades_rise_with_the_numbers():
    lines = to_text(FIGURE).splitlines()
    assert lines[3] == "b │" + SHADES[0] * 4 + SHADES[1] * 4 + SHADES[2] * 4
    assert lines[4] == "a │" + SHADES[3] * 4 + "????" + SHADES[4] * 4
    assert lines[5].split() == ["1", "2", "4"]
    assert "rows: angle; columns: radius" in lines
    key = " ".join(lines[lines.index("rows: angle; columns: radius") + 1 :])
    assert key == "increase: · from 0.00, ░ from 0.10, ▒ from 0.20, ▓ from 0.30, █ from 0.40 to 0.50"


@given(st.integers(1, 90), st.integers(1, 5), st.data())
def test_any_map_fits_and_its_largest_number_is_darkest(columns, rows, data):
    numbers = st.floats(-1, 1).map(lambda value: round(value, 3))
    values = data.draw(st.lists(st.lists(numbers, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    each = HeatMap(
        title="t", rows=tuple(map(str, range(rows))), columns=tuple(map(str, range(columns))),
        values=tuple(map(tuple, values)),
    )  # fmt: skip
    text = to_text(replace(FIGURE, maps=(each,)), 100)
    assert max(map(len, text.splitlines())) <= 100
    cells = [line.split("│")[1] for line in text.splitlines() if "│" in line]
    assert len(cells) == rows
    array = np.array(values)
    width = len(cells[0]) // columns
    if array.max() > array.min():
        row, column = np.unravel_index(array.argmax(), array.shape)
        assert cells[row][column * width] == SHADES[-1]
        row, column = np.unravel_index(array.argmin(), array.shape)
        assert cells[row][column * width] == SHADES[0]


def test_all_maps_share_one_scale():
    other = replace(MAP, title="other", values=((5.0, 5.0, 5.0), (5.0, 5.0, 5.0)))
    text = to_text(replace(FIGURE, maps=(MAP, other)))
    assert text.count(SHADES[-1]) == 6 * 4 + 1 and "█ from 4.00 to" in text


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (((None,) * 3, (None,) * 3), "has no value to draw"),
        (((1.0, 2.0, 3.0),), "do not fit its rows and columns"),
        (((1.0, 2.0), (1.0, 2.0)), "do not fit its rows and columns"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(values, reason):
    broken = replace(FIGURE, maps=(replace(MAP, values=values),))
    for draw in (to_text, to_canvas):
        with pytest.raises(RequestError, match=reason):
            draw(broken)


def test_a_picture_has_the_numbers_in_their_cells():
    canvas = to_canvas(replace(FIGURE, maps=(MAP, replace(MAP, title="other_$"))))
    panels = canvas.axes[:2]
    for axes in panels:
        mesh = axes.collections[0]
        numbers = mesh.get_array().reshape(2, 3)
        assert numbers.filled(-9).tolist() == [[0.0, 0.1, 0.2], [0.3, -9, 0.5]]
        assert axes.get_ylim() == (2.0, 0.0)  # the first row is on top
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4"]
        assert mesh.get_clim() == (0.0, 0.5)
    assert canvas.axes[-1].get_ylabel() == "increase"
    assert to_image(FIGURE, "svg") == to_image(FIGURE, "svg")
