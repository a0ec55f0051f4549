"""Tables as files: plain or compressed, bounded; numbers that are whole numbers of images."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import RequestError
from harness.plugins.importers._tables import MOST_BYTES, Wanted, is_count, number, read_rows

WANTED = Wanted("expected a table", "harness import FORMAT FILE --out RUN")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz", "table"])
def test_what_a_file_is_its_content_says(tmp_path, pack, name):
    path = tmp_path / name
    path.write_bytes(pack(b"\xef\xbb\xbfmodel,a\r\n\r\nnet,1\r\n"))
    assert read_rows(path, ["model"], WANTED) == [(3, {"model": "net", "a": "1"})]


def test_several_gzip_members_are_one_table(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"model,a\nnet,1\n") + gzip.compress(b"other,2\n"))
    assert [row["model"] for _, row in read_rows(path, ["model"], WANTED)] == ["net", "other"]


def test_a_file_may_be_as_large_as_allowed_and_no_larger(tmp_path):
    path, text = tmp_path / "table.csv", "model,a\n" + f"net,{'1' * 100_000}\n" * 83
    text += "x," + "1" * (MOST_BYTES - len(text) - 2)
    path.write_text(text)
    assert len(read_rows(path, ["model"], WANTED)) == 84
    path.write_text(text + "1")
    with pytest.raises(RequestError, match="more than 8 MiB of text"):
        read_rows(path, ["model"], WANTED)


@given(n=st.integers(10, 60_000), share=st.floats(0, 1), whole=st.sampled_from([1.0, 100.0]))
def test_every_whole_number_of_images_is_one_and_none_half_way(n, share, whole):
    count = int(share * (n - 1))
    assert is_count(f"{whole * count / n:.17g}", n, whole)
    assert not is_count(f"{whole * (count + 0.5) / n:.12f}", n, whole)


def test_rounded_numbers_may_be_whole_within_their_digits():
    assert is_count("0.767", 50_000, 1.0) and is_count("76.7", 50_000, 100.0)
    assert is_count("84.453", 7_500, 100.0)  # 6,334 of 7,500 are 84.4533… %
    assert not is_count("84.458", 7_500, 100.0)
    assert is_count("1e-1", 10, 1.0)


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "1.5", "", "1_0", "0x1", "١", "1e9999", "0,5", "1 0"])
def test_no_other_text_is_a_number(text):
    with pytest.raises(RequestError, match=r"here has .*expected a fraction from 0 to 1"):
        number(text, 1.0, "here")
    assert number(" 0.5 ", 1.0, "here") == 0.5
