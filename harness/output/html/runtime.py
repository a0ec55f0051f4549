"""The program that draws charts in a browser: Vega 6 and its interpreter of expressions, as one script.

The interpreter walks the tree of an expression, so a page needs no ``unsafe-eval``.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Final

from harness.errors import RequestError
from harness.local.kept import kept_file, read_kept, touch_kept, write_kept

VEGA: Final = "6.2.0"
_MODULES: Final = "https://cdn.jsdelivr.net/npm"
"""Where vl-convert took the modules from that it carries with itself: names here, nothing is fetched."""
_SNIPPET: Final = (
    f"import {{View, parse}} from '{_MODULES}/vega@{VEGA}/+esm';\n"
    f"import {{expressionInterpreter}} from '{_MODULES}/vega-interpreter@2.0.0/+esm';\n"
    "window.vega = {View, parse, expressionInterpreter};"
)
_PACKAGE: Final = "vl-convert-python"
_FOLDER: Final = "vega"


@cache
def runtime() -> str:
    """The script, 0.6 MB, which sets ``window.vega``; made once in two seconds, then kept in the cache folder.

    Raises RequestError where the installed vl-convert carries other versions of Vega.
    """
    file = kept_file(_FOLDER, sha256(f"{version(_PACKAGE)}\n{_SNIPPET}".encode()).hexdigest())
    script = read_kept(file).get("script")
    if isinstance(script, str):
        touch_kept(file)
        return script
    made = _made().replace("</script", "<\\/script").replace("<!--", "<\\!--")
    write_kept(file, {"script": made})
    return made


def _made() -> str:
    import vl_convert

    carried = vl_convert.get_vega_version()
    if carried != VEGA:
        problem = f"{_PACKAGE} {version(_PACKAGE)} carries Vega {carried}, and pages are drawn with {VEGA}"
        raise RequestError(problem, remedy=f"pip install {_PACKAGE}==1.9.0")
    return vl_convert.javascript_bundle(_SNIPPET)
