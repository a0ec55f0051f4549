"""Processes that have imported everything already: copies of this one, with streams and a folder of their own."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import traceback
import warnings


def fork():
    """`os.fork`. Python 3.12 warns of it where there are other threads: here, they hold nothing that a child needs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def python(text, folder, *arguments):
    """``python -c TEXT ARGUMENTS …`` in `folder`, but as a copy of this process, which saves seconds of imports."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        sys.stdout.flush()
        child = fork()
        if not child:
            sys.argv = ["-c", *map(str, arguments)]
            _become(text, folder, out.fileno(), err.fileno())
        status = os.waitpid(child, 0)[1]
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(text, os.waitstatus_to_exitcode(status), out.read(), err.read())


def as_module(words):
    """``-m MODULE WORDS …`` as a text for `python`: of a file, or of a package whose ``__main__`` has an `app`."""
    assert words[0] == "-m", words
    module, *arguments = map(str, words[1:])
    before = f"import sys; sys.argv = {[module, *arguments]!r}; "
    if importlib.util.find_spec(module).submodule_search_locations is not None:
        return f"{before}from {module}.__main__ import app; app()"
    return f"{before}import runpy; runpy.run_module({module!r}, run_name='__main__')"


def _become(text, folder, out, err):
    """Run `text` with its streams, and end this process."""
    code = 1
    try:
        os.chdir(folder)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))
        warnings.resetwarnings()
        exec(compile(text, "<string>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
