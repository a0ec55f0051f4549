"""Archives from strangers: refused with the member's name, in little time and memory, with nothing written outside."""

import errno
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import FetchError
from harness.fetching.archives import check_archive, read_tar, unpack
from harness.fetching.members import Limits, UnsafeArchiveError, member_parts
from tests.helpers.bounds import bounded, contents
from tests.helpers.fetching import NoProgress
from tests.helpers.hostile_archives import ARCHIVES, member, tar, zip_member, zipped

HARMLESS_IN_MEMORY = {
    *("tar-case-collision", "tar-folder-case-collision", "tar-normal-form-collision"),
    *("tar-file-where-a-folder-must-be", "tar-folder-where-a-file-is", "tar-file-in-place-of-the-folder"),
}
"""What a file system makes wrong of them is no matter where names are texts."""
STATED = Limits(bytes=1000, images=2)


@pytest.fixture
def unpacked(tmp_path):
    """Unpacks the bytes of an archive beside a folder that must not change; returns the files."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "canary").write_bytes(b"alive")
    archive, out = tmp_path / "archive", tmp_path / "in" / "out"

    def call(data, limits=STATED):
        archive.write_bytes(data)
        out.mkdir(parents=True)
        with bounded(tmp_path, but=[out]):
            check_archive(archive)
            unpack(archive, out, "x", NoProgress(), limits)
        return contents(out)

    call.folder = tmp_path
    return call


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archives_are_refused_by_name(unpacked, name):
    make, words = ARCHIVES[name]
    data = make(unpacked.folder)
    with pytest.raises(FetchError) as caught, bounded(unpacked.folder, but=[unpacked.folder / "in"]):
        unpacked(data)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message and len(message) < 700
    rest = [path for path in (unpacked.folder / "in").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in rest) <= 1 << 27
    assert not any(path.is_symlink() or path.stat().st_mode & 0o111 for path in rest)


@pytest.mark.parametrize(
    "data", [tar(member("set/run", b"#!/bin/sh", mode=0o4755)), zipped(zip_member("run", 0o104755))]
)
def test_hostile_permissions_are_not_restored(unpacked, data):
    for path, content in unpacked(data).items():
        assert content is None or Path(path).stat().st_mode & 0o7111 == 0


def test_a_hostile_owner_and_date_are_not_restored(unpacked):
    files = unpacked(tar(member("x", b"1", uid=12345, gid=12345, mtime=1)))
    facts = [Path(path).stat() for path in files]
    assert all((fact.st_uid, fact.st_gid) == (os.getuid(), os.getgid()) and fact.st_mtime > 1e9 for fact in facts)


def test_folders_may_be_named_more_than_once_and_with_a_dot(unpacked):
    folder = member("./set", type=tarfile.DIRTYPE)
    files = unpacked(
        tar(member("."[:1], type=tarfile.DIRTYPE), folder, folder, member("./set//a", b"1"), member("set/b"))
    )
    assert sorted(Path(path).name for path in files) == ["a", "b", "good", "set"]


@pytest.mark.parametrize(
    ("limits", "archive", "most"),
    [
        (Limits(), 10**9, 100 * 10**9),
        (Limits(bytes=7 * 10**9), 6 * 10**9, 28 * 10**9),
        (Limits(bytes=1234), 10**9, 2 * 10**9),
    ],
)
def test_a_limit_is_never_below_what_datasets_need(limits, archive, most):
    assert limits.most_bytes(archive) == most + (64 << 20)
    assert limits.most_members >= 1_000


PARTS = st.sampled_from(["", ".", "..", "a", "b.png", "C:", "\\", "\0", "\udc80", "x" * 256, "\u00e9", "con"])


@given(st.lists(PARTS, max_size=6), st.booleans())
def test_a_name_is_refused_or_stays_below_its_folder(parts, absolute):
    name = "/" * absolute + "/".join(parts)
    try:
        accepted = member_parts(name)
    except UnsafeArchiveError:
        return
    assert os.path.normpath("/".join(["/root", *accepted])) == "/".join(["/root", *accepted])
    assert os.path.normpath(f"/root/{name}") == "/".join(["/root", *accepted])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("abcxyz/.", min_size=1, max_size=8), st.binary(max_size=600), min_size=1, max_size=6))
def test_what_is_accepted_is_what_the_library_reads(tmp_path, files):
    data = tar(*[member(name, content) for name, content in files.items()])
    archive, out = tmp_path / "x.tar", tmp_path / str(sum(1 for _ in tmp_path.iterdir()))
    archive.write_bytes(data)
    try:
        unpack(archive, out, "x", NoProgress())
    except FetchError as error:
        assert "not safe to unpack" in str(error)
        return
    with tarfile.open(fileobj=io.BytesIO(data)) as pack:
        expected = {os.path.normpath(info.name): pack.extractfile(info).read() for info in pack.getmembers()}
    assert {
        os.path.relpath(path, out): content for path, content in contents(out).items() if content is not None
    } == expected
    assert read_tar(archive, 1 + sum(map(len, files.values())), 1 + len(files)) == expected


def test_a_tar_that_ends_with_a_zip_archive_is_a_tar(unpacked):
    files = unpacked(tar(member("set/inner.zip", zipped(("other", b"!")))))
    assert sorted(Path(path).name for path in files) == ["good", "inner.zip", "set"]


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name not in HARMLESS_IN_MEMORY])
def test_hostile_archives_are_not_read_into_memory_either(tmp_path, name):
    make, _ = ARCHIVES[name]
    (tmp_path / "outside").mkdir()
    (tmp_path / "archive").write_bytes(make(tmp_path))
    with pytest.raises(FetchError) as caught, bounded(tmp_path):
        read_tar(tmp_path / "archive", 1 << 20)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


def test_files_are_read_within_limits(tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(tar(member("set/a", b"12345")))
    assert read_tar(path, 6, 2) == {"good": b"1", "set/a": b"12345"}
    for most_bytes, most_members in ((5, 2), (6, 1)):
        with pytest.raises(FetchError, match="holds more than"):
            read_tar(path, most_bytes, most_members)


def test_an_injected_fault_of_the_disk_is_no_damage(tmp_path, monkeypatch):
    (tmp_path / "x.tar").write_bytes(tar())

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("harness.fetching.archives.tar_files", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read_tar(tmp_path / "x.tar", 100)
    with pytest.raises(FileNotFoundError):
        read_tar(tmp_path / "absent.tar", 100)
