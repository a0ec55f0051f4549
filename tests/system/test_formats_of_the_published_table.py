"""Terminal, JSON, CSV, HTML and tidy table of the published study of 48 networks show the same numbers."""

import re

import pytest

from harness.output.formats import render
from harness.output.tidy import tidy, to_csv
from harness.plugins.reports.correlation import Correlation
from tests.helpers.published import imported_study
from tests.helpers.same_numbers import differences, outputs
from tests.helpers.same_numbers_of_a_page import page_differences, tidy_differences


@pytest.fixture(scope="module")
def texts(real, tmp_path_factory):
    """Terminal, CSV, JSON, HTML and tidy table of the report `correlation`."""
    study, data = imported_study(real, tmp_path_factory.mktemp("published"))
    report = Correlation()
    return (*outputs(report, data), render(report, data, "html"), to_csv(tidy(study.measures())))


def test_all_show_the_same_numbers(texts):
    terminal, csv_file, json_file, page, table = texts
    assert list(differences("correlation", terminal, csv_file, json_file)) == []
    assert list(page_differences(page, csv_file)) == []
    assert list(tidy_differences(table, json_file)) == []


NUMBERS = {"with all its digits": r'data-value="0\.\d', "as it is shown": r'data-value="0\.\d+">0?\.\d'}


@pytest.mark.parametrize("where", NUMBERS.values(), ids=NUMBERS)
def test_another_digit_on_the_page_is_noticed(texts, where):
    _, csv_file, _, page, _ = texts
    place = list(re.finditer(where, page))[7].end() - 1
    other = page[:place] + str((int(page[place]) + 1) % 10) + page[place + 1 :]
    assert len(list(page_differences(other, csv_file))) == 1


def test_another_digit_in_the_tidy_table_is_noticed(texts):
    _, _, json_file, _, table = texts
    place = list(re.finditer(r",0\.\d", table))[7].end() - 1
    other = table[:place] + str((int(table[place]) + 1) % 10) + table[place + 1 :]
    assert len(list(tidy_differences(other, json_file))) == 1
