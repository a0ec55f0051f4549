"""Pickles and archives written by hand, as no library writes them, and a process of bounded memory to read them in."""

import io
import os
import resource
import struct
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

from tests.helpers.forks import fork

MOST_BYTES = 500 << 20
MOST_SECONDS = 5


def number(value):
    """An integer of any size up to 255 bytes."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def sequence(*values):
    return b"(" + b"".join(values) + b"t"


def call(function, *args):
    return function + sequence(*args) + b"R"


def pickled(body):
    return b"\x80\x02" + body + b"."


def storage(kind="FloatStorage", key="0", numel=1):
    return sequence(text("storage"), name("torch", kind), text(key), text("cpu"), number(numel)) + b"Q"


def tensor(numel=1, size=(1,), stride=(1,), offset=0, function="_rebuild_tensor_v2", **of):
    shape, steps = (sequence(*map(number, values)) for values in (size, stride))
    ordered = call(name("collections", "OrderedDict"))
    return call(
        name("torch._utils", function), storage(numel=numel, **of), number(offset), shape, steps, b"\x89", ordered
    )


def archive(body, data=bytes(4), method=zipfile.ZIP_STORED, further=()):
    """A torch.save file with this pickle and one storage."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        file.writestr("archive/data.pkl", body)
        file.writestr("archive/byteorder", "little")
        for key, value in (("archive/data/0", data), ("archive/version", b"3\n"), *further):
            file.writestr(key, value)
    return content.getvalue()


def legacy(body, keys=b"]", tail=b""):
    """A file of torch's older format with this content."""
    magic = pickled(number(0x1950A86A20F9469CFC6C))
    return magic + pickled(b"M\xe9\x03") + pickled(b"}") + pickled(body) + pickled(keys) + tail


def bounded(action):
    """What `action` returns as text, in a copy of this process that may take 500 MB more and 5 s of its CPU time."""
    with tempfile.TemporaryFile("w+") as answer:
        child = fork()
        if not child:
            try:
                used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES,) * 2)
                spent = int(time.process_time())
                resource.setrlimit(resource.RLIMIT_CPU, (spent + MOST_SECONDS,) * 2)
                answer.write(str(action()))
            except BaseException:  # noqa: BLE001 - the parent shows it
                answer.write(f"TRACEBACK {traceback.format_exc()}")
            finally:
                answer.flush()
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answer.seek(0)
        content = answer.read()
    assert status == 0, f"ended by signal {-status}: {content}"
    return content
