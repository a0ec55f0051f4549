"""Archives that a stranger could have made, each with the words of its refusal. None is larger than a few MB."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib

GOOD = ("good", b"1")
NUL_BLOCKS = b"\0" * 1024


def member(name="x", data=b"", **facts):
    """A member of a tar: `facts` are attributes of its header."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in facts.items():
        setattr(info, key, value)
    return info, data


def tar(*members, format=tarfile.PAX_FORMAT):
    """The bytes of a tar, its headers as given even where they lie."""
    out = io.BytesIO()
    for info, data in (member(*GOOD), *members):
        out.write(info.tobuf(format, "utf-8", "surrogateescape") + data + b"\0" * (-len(data) % 512))
    return out.getvalue() + NUL_BLOCKS


def special(kind, target="", name="evil"):
    return member(name, type=kind, linkname=target)


def raw_header(name, kind, size):
    """A header whose size is written in base 256, where numbers may be huge or negative."""
    block = bytearray(member(name, type=kind)[0].tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = (size % (1 << 96)).to_bytes(12, "big")
    block[124] |= 0x80
    block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
    return bytes(block)


def headed(name, kind, size, before=b"", data=b""):
    return tar()[:-1024] + before + raw_header(name, kind, size) + data + NUL_BLOCKS


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as pack:
        for name, data in (GOOD, *members):
            pack.writestr(name, data)
    return out.getvalue()


def zip_member(name, mode, data=b"/etc/passwd"):
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = mode << 16, 3
    return info, data


def patched(data, old, new, times=-1):
    assert old in data and len(old) == len(new)
    return data.replace(old, new, times)


def directory_patched(data, offset, fmt, value):
    """The zip with one field of the last member's entry in its directory replaced; `offset` counts in the entry."""
    at = data.rindex(b"PK\x01\x02") + offset
    return data[:at] + struct.pack(fmt, value) + data[at + struct.calcsize(fmt) :]


def _many_gzipped(blocks):
    """One member after another: 1 MiB of zeros each, compressed about a thousandfold."""
    return gzip.compress(tar(*[member(f"{number}", bytes(1 << 20)) for number in range(blocks)]), 6)


def _escape(folder):
    """Links, each harmless for itself, and a path so long that its end is not resolved: it leads above the folder."""
    steps, links, path = "d" * 247, [], ""
    for letter in "abcdefghijklmnop":
        links += [member(f"{path}{steps}", type=tarfile.DIRTYPE), special(tarfile.SYMTYPE, steps, f"{path}{letter}")]
        path += f"{letter}/"
    links.append(special(tarfile.SYMTYPE, "../" * 16, f"{path}{'l' * 254}"))
    return tar(*links, special(tarfile.SYMTYPE, f"{path}{'l' * 254}/../outside", "escape"), member("escape/x", b"!"))


SYM, LNK, PAX = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.XHDTYPE
LINK = 0o120777

ARCHIVES = {
    "tar-link-absolute": (lambda _: tar(special(SYM, "/etc/passwd")), "'evil' is a symbolic link"),
    "tar-link-above": (lambda _: tar(special(SYM, "../../x")), "'evil' is a symbolic link"),
    "tar-link-inside": (lambda _: tar(special(SYM, "good")), "'evil' is a symbolic link"),
    "tar-link-to-a-folder-then-through-it": (
        lambda folder: tar(special(SYM, str(folder / "outside"), "d"), member("d/x", b"!")),
        "'d' is a symbolic link",
    ),
    "tar-long-path-through-links": (_escape, "is a symbolic link"),
    "tar-hard-link": (lambda folder: tar(special(LNK, str(folder / "outside" / "canary"))), "'evil' is a hard link"),
    "tar-hard-link-inside": (lambda _: tar(special(LNK, "good")), "'evil' is a hard link"),
    "tar-fifo": (lambda _: tar(special(tarfile.FIFOTYPE)), "'evil' is a FIFO"),
    "tar-character-device": (lambda _: tar(special(tarfile.CHRTYPE)), "'evil' is a device"),
    "tar-block-device": (lambda _: tar(special(tarfile.BLKTYPE)), "'evil' is a device"),
    "tar-unknown-type": (lambda _: tar(special(b"Z")), "'evil' is of the unknown type"),
    "tar-sparse": (lambda _: headed("evil", tarfile.GNUTYPE_SPARSE, 0), "'evil' is a sparse file"),
    "tar-sparse-by-a-further-header": (
        lambda _: tar(member("evil", bytes(512), pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": "99"})),
        "'evil' is a sparse file",
    ),
    "tar-above": (lambda _: tar(member("../evil", b"!")), "'../evil' leads out of its folder"),
    "tar-above-below": (lambda _: tar(member("a/../../evil", b"!")), "leads out of its folder"),
    "tar-above-in-a-long-name": (
        lambda _: tar(member("a/" * 100 + "../" * 101 + "evil", b"!"), format=tarfile.GNU_FORMAT),
        "leads out of its folder",
    ),
    "tar-absolute": (lambda folder: tar(member(str(folder / "outside" / "evil"), b"!")), "is an absolute path"),
    "tar-drive-letter": (lambda _: tar(member("C:/evil", b"!")), "'C:/evil' is an absolute path"),
    "tar-backslash": (lambda _: tar(member("..\\evil", b"!")), "has a backslash in its name"),
    "tar-newline-in-a-name": (lambda _: tar(member("evil\n\x1b[31m", b"!")), "has control characters in its name"),
    "tar-name-not-utf-8": (lambda _: tar(member("evil\udcff", b"!"), format=tarfile.GNU_FORMAT), "that is not UTF-8"),
    "tar-name-too-long": (lambda _: tar(member("e" * 300, b"!")), "has a name that is too long"),
    "tar-path-too-long": (lambda _: tar(member("deep/" * 1000 + "evil", b"!")), "has a name that is too long"),
    "tar-case-collision": (lambda _: tar(member("Good", b"!")), "'Good' and 'good' differ only in case"),
    "tar-folder-case-collision": (lambda _: tar(member("set/a"), member("SET/b")), "differ only in case"),
    "tar-normal-form-collision": (lambda _: tar(member("e\u0301"), member("\u00e9")), "or in the form of a letter"),
    "tar-twice": (lambda _: tar(member("good", b"2")), "'good' is there twice"),
    "tar-file-where-a-folder-must-be": (lambda _: tar(member("good/evil", b"!")), "needs a folder where"),
    "tar-folder-where-a-file-is": (lambda _: tar(member("good", type=tarfile.DIRTYPE)), "needs a folder where"),
    "tar-file-in-place-of-the-folder": (lambda _: tar(member(".", b"!")), "is a file in place of the folder"),
    "tar-declares-a-petabyte": (lambda _: headed("evil", tarfile.REGTYPE, 10**15), "1,000,000,000,000,001 bytes"),
    "tar-negative-size": (lambda _: headed("evil", tarfile.REGTYPE, -1024), "'evil' has a negative size"),
    "tar-negative-size-by-a-further-header": (
        lambda _: tar(member("evil", pax_headers={"size": "-1024"})),
        "'evil' has a negative size",
    ),
    "tar-header-of-a-gigabyte": (lambda _: headed("evil", PAX, 10**9), "has a header of 1,000,000,000 bytes"),
    "tar-name-of-a-gigabyte": (lambda _: headed("evil", tarfile.GNUTYPE_LONGNAME, 10**9), "has a header of"),
    "tar-headers-without-end": (
        lambda _: gzip.compress(headed("evil", PAX, 0, raw_header("x", PAX, 0) * 100_000)),
        "damaged or truncated",
    ),
    "tar-too-many-members": (
        lambda _: gzip.compress(tar(*[member(f"d/{number}") for number in range(1_500)])),
        "more than 1,400 members",
    ),
    "gz-bomb-of-one-member": (lambda _: _bomb(gzip.compress), "unpacks to 1,000,000,001 bytes or more"),
    "bz2-bomb-of-one-member": (lambda _: _bomb(bz2.compress, 2 * 10**8), "unpacks to 200,000,001 bytes or more"),
    "xz-bomb-of-one-member": (lambda _: _bomb(lzma.compress, 2 * 10**8), "unpacks to 200,000,001 bytes or more"),
    "gz-bomb-of-many-members": (lambda _: _many_gzipped(90), "are the most"),
    "gz-bomb-after-the-end": (lambda _: gzip.compress(tar() + bytes(150_000_000), 1), "unpacks to more than"),
    "xz-that-needs-much-memory": (lambda _: _greedy_xz(), "takes more than 268,435,456 bytes of memory"),
    "zip-link": (lambda _: zipped(zip_member("evil", LINK)), "'evil' is a symbolic link"),
    "zip-link-then-through-it": (
        lambda folder: zipped(zip_member("d", LINK, str(folder / "outside").encode()), ("d/x", b"!")),
        "'d' is a symbolic link",
    ),
    "zip-fifo": (lambda _: zipped(zip_member("evil", stat.S_IFIFO | 0o644)), "'evil' is a FIFO"),
    "zip-device": (lambda _: zipped(zip_member("evil", stat.S_IFBLK | 0o644)), "'evil' is a device"),
    "zip-above": (lambda _: zipped(("../evil", b"!")), "'../evil' leads out of its folder"),
    "zip-above-below": (lambda _: zipped(("a/../../evil", b"!")), "leads out of its folder"),
    "zip-absolute": (lambda _: zipped(("/evil", b"!")), "'/evil' is an absolute path"),
    "zip-drive-letter": (lambda _: zipped(("c:evil", b"!")), "'c:evil' is an absolute path"),
    "zip-backslash": (lambda _: zipped(("..\\evil", b"!")), "has a backslash in its name"),
    "zip-nul-in-a-name": (lambda _: patched(zipped(("ev?l", b"!")), b"ev?l", b"ev\0l"), "control characters"),
    "zip-case-collision": (lambda _: zipped(("GOOD", b"!")), "differ only in case"),
    "zip-twice": (lambda _: patched(zipped(("goof", b"!")), b"goof", b"good"), "'good' is there twice"),
    "zip-file-where-a-folder-must-be": (lambda _: zipped(("good/evil", b"!")), "needs a folder where"),
    "zip-declares-four-gigabytes": (
        lambda _: directory_patched(zipped(("evil", b"!")), 24, "<I", 0xFFFF_FFF0),
        "unpacks to 4,294,967,281 bytes or more",
    ),
    "zip-larger-than-declared": (
        lambda _: directory_patched(zipped(("evil", bytes(10**6))), 24, "<I", 1000),
        "damaged or truncated (Bad CRC",
    ),
    "zip-smaller-than-declared": (
        lambda _: directory_patched(zipped(("evil", b"!" * 9)), 24, "<I", 1000),
        "damaged or truncated",
    ),
    "zip-bomb-of-one-member": (
        lambda _: zipped(("evil", bytes(10**8))),
        "unpacks to 100,000,001 bytes or more",
    ),
    "zip-bomb-of-bz2": (
        lambda _: zipped(("evil", bytes(10**7)), method=zipfile.ZIP_BZIP2),
        "is compressed in a way that is not unpacked",
    ),
    "zip-encrypted": (lambda _: directory_patched(zipped(("evil", b"!")), 8, "<H", 1), "'evil' is encrypted"),
    "zip-list-of-members-too-long": (lambda _: _long_list(), "its list of members has 2,147,483,647 bytes"),
}  # fmt: skip
"""Name -> (a function of the folder that must not be left, part of the message). The dataset states two images."""


def _bomb(compress, size=10**9):
    """A tar of one member of zeros: the header alone is enough to refuse it, so only a megabyte of it is there."""
    return compress(headed("evil", tarfile.REGTYPE, size, data=bytes(1 << 20)))


def _greedy_xz():
    """An xz file whose header asks for a dictionary of 1.5 GiB."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
    data = bytearray(lzma.compress(tar(), filters=filters))
    block = data[12 : 12 + (data[12] + 1) * 4]
    assert block[2:4] == b"\x21\x01"
    block[4] = 39  # the code of the dictionary's size
    block[-4:] = struct.pack("<I", zlib.crc32(bytes(block[:-4])))
    data[12 : 12 + len(block)] = block
    return bytes(data)


def _long_list():
    data = bytearray(zipped())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 0x7FFF_FFFF)
    return bytes(data)
