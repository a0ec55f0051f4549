"""Text from outside that is short and would take gigabytes or hours: YAML, and regular expressions."""

from __future__ import annotations

import math
import re
import time
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

MOST_YAML: Final = 16 << 20
"""Letters of one YAML file; an entry of a model has some hundreds."""
_MOST_VALUES: Final = 300_000
_MOST_DEPTH: Final = 40
_MOST_REPEATED: Final = 10_000
"""Values that the aliases of one file stand for, beyond those that are written in it."""
_MOST_PATTERN: Final = 1000
_MOST_TEXT: Final = 1000
_MOST_WAYS: Final = 20_000_000
"""Ways to read a text that a pattern may try, about half a second of them."""
_MOST_SECONDS: Final = 2.0
_TYPICAL_KEY: Final = 64
_CATEGORIES: Final = {
    f"CATEGORY_{'NOT_' * sign.isupper()}{word}": f"\\{sign}"
    for pair, word in (("dD", "DIGIT"), ("wW", "WORD"), ("sS", "SPACE"))
    for sign in pair
}
_Letters = frozenset[int] | None


def yaml_loader() -> Any:
    """The class that reads YAML; libyaml's is an order of magnitude faster, but is not built everywhere."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_excess(text: str) -> tuple[int, str] | None:
    """Line (from 1) and what is wrong with a YAML file that takes more than its length; None for any other.

    Only its events are read, so an alias costs nothing yet. Raises yaml.YAMLError for what is not YAML.
    """
    import yaml

    if len(text) > MOST_YAML:
        return 1, f"has {len(text):,} letters; at most {MOST_YAML:,} are read"
    sizes: dict[str, int] = {}
    starts: list[tuple[str | None, int]] = []
    count = repeated = written = 0
    events: Any = yaml.parse(text, Loader=yaml_loader())
    for event in events:
        line, written = event.start_mark.line + 1, written + 1
        if written > _MOST_VALUES:
            return line, f"has more than {_MOST_VALUES:,} values"
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(str(event.anchor), 0)
            repeated += size
            if repeated > _MOST_REPEATED:
                return (
                    line,
                    f"aliases (*{str(event.anchor)[:40]}) stand for more than {_MOST_REPEATED:,} values; write them",
                )
            count += size
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            starts.append((event.anchor, count))
            count += 1
            if len(starts) > _MOST_DEPTH:
                return line, f"is nested more than {_MOST_DEPTH} levels deep"
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = starts.pop()
            if anchor:
                sizes[anchor] = count - before
    return None


class Substitution:
    """Regular expressions applied to many keys, in bounded time.

    Python's own `re` stays, for another library would give some keys other names. What it would try is counted before:
    a pattern that can read a text in too many ways is refused, whatever the text.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, pattern: str, replacement: str, key: str) -> str:
        """`key` with each match of `pattern` replaced.

        Raises:
            ValueError: the pattern or the replacement is invalid, or it would take too long.
        """
        if len(key) > _MOST_TEXT:
            raise ValueError(f"the key {key[:40]!r}… has {len(key):,} letters; at most {_MOST_TEXT:,} are matched")
        check_pattern(pattern, replacement, len(key))
        start = time.thread_time()
        try:
            new = re.sub(pattern, replacement, key)
        except (re.error, IndexError) as error:
            raise ValueError(f"it is no regular expression and replacement: {error}") from error
        self.seconds += time.thread_time() - start
        if self.seconds > _MOST_SECONDS:
            raise ValueError(
                f"the patterns take more than {_MOST_SECONDS:g} s; write them without nested or many * and +"
            )
        return new


def check_pattern(pattern: str, replacement: str = "", length: int = _TYPICAL_KEY) -> None:
    """Raises ValueError for a regular expression that is invalid, or can read `length` letters in too many ways."""
    if len(pattern) > _MOST_PATTERN or len(replacement) > _MOST_PATTERN:
        raise ValueError(f"a pattern and its replacement have at most {_MOST_PATTERN:,} letters each")
    if _ways(pattern, 16 * math.ceil(length / 16)) > _MOST_WAYS:
        raise ValueError(
            f"the pattern can read {length} letters in more than {_MOST_WAYS:,} ways, and would try them all; write it "
            "without a repetition inside another or several .* in a row, or begin it with ^"
        )


@lru_cache(maxsize=1024)
def _ways(pattern: str, length: int) -> float:
    """Upper bound of the ways in which `pattern` can read up to `length` letters, from any start. Raises ValueError."""
    parser: Any = import_module("re._parser")  # where Python keeps the tree of a pattern, since 3.11
    try:
        tree = parser.parse(pattern)
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    parts = list(tree)
    anchored = bool(parts) and str(parts[0][0]) == "AT" and str(parts[0][1]).startswith("AT_BEGINNING")
    return _ways_of(parts, length) * (1 if anchored else length)


def _ways_of(parts: Any, length: int, after: _Letters = frozenset()) -> float:
    """As `_ways`, of consecutive parts of a tree; repetitions of single letters share the letters among them.

    Args:
        after: codes of the letters that can follow the last part; None if they are not known.
    """
    ways, shared, given = 1.0, 0, list(parts)
    for place, (operation, argument) in enumerate(given):
        name, rest = str(operation), given[place + 1 :]
        following = _first(rest) if rest else after
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, body = int(argument[0]), min(int(argument[1]), length), argument[2]
            first = _first(body)
            around = None if first is None or following is None else first | following
            ways *= _power(_ways_of(body, length, around), most)
            spread = 0 if _is_decided(body, following) else most - least
            shared += spread >= length // 2 and most > 1
            ways *= spread + 1 if 0 < spread < length // 2 else 1
        else:
            ways *= _of_one(name, argument, length, following)
        if ways > _MOST_WAYS**2:
            return math.inf
    return ways * math.comb(length + shared, shared)


def _of_one(name: str, argument: Any, length: int, after: _Letters) -> float:
    if name in ("BRANCH", "GROUPREF_EXISTS"):
        branches = argument[1] if name == "BRANCH" else [branch for branch in argument[1:] if branch is not None]
        ways = [_ways_of(branch, length, after) for branch in branches]
        firsts = [_first(branch) or frozenset() for branch in branches]
        apart = all(firsts) and len(frozenset().union(*firsts)) == sum(map(len, firsts))
        return max(ways) if apart else sum(ways)
    if name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT", "ATOMIC_GROUP"):
        body = argument if name == "ATOMIC_GROUP" else argument[-1]
        return _ways_of(body, length, after if name == "SUBPATTERN" else None)
    if name == "POSSESSIVE_REPEAT":
        return _power(_ways_of(argument[2], length, None), min(int(argument[1]), length))
    return 1.0


def _first(parts: Any) -> _Letters:
    """Codes of the letters with which consecutive parts can begin; None if they are not known."""
    given = list(parts)
    if not given:
        return None
    name, argument = str(given[0][0]), given[0][1]
    if name == "LITERAL":
        return frozenset([argument])
    if name == "AT":
        return frozenset() if str(argument).startswith("AT_END") else _first(given[1:])
    if name == "SUBPATTERN":
        return _first(argument[3])
    if name == "BRANCH":
        firsts = [_first(branch) for branch in argument[1]]
        return None if None in firsts else frozenset().union(*(first or () for first in firsts))
    if name in ("MAX_REPEAT", "MIN_REPEAT") and argument[0] > 0:
        return _first(argument[2])
    return None


def _is_decided(body: Any, following: _Letters) -> bool:
    """Whether a repetition can end in one place only: it begins with no letter that can follow it."""
    if following is None or len(body) == 0:
        return False
    name, argument = str(body[0][0]), body[0][1]
    if name == "SUBPATTERN":
        return _is_decided(argument[3], following)
    return not any(_can_be(name, argument, code) for code in following)


def _can_be(name: str, argument: Any, code: int) -> bool:
    """Whether one part of a tree can match the letter `code`; yes, if that is not known."""
    if name == "LITERAL":
        return bool(argument == code)
    if name == "NOT_LITERAL":
        return bool(argument != code)
    if name == "RANGE":
        return bool(argument[0] <= code <= argument[1])
    if name == "CATEGORY":
        sort = _CATEGORIES.get(str(argument))
        return sort is None or re.match(sort, chr(code)) is not None
    if name == "IN":
        inside = [item for item in argument if str(item[0]) != "NEGATE"]
        return any(_can_be(str(item[0]), item[1], code) for item in inside) != (len(inside) < len(argument))
    return True


def _power(base: float, exponent: int) -> float:
    return math.inf if base > 1 and exponent * math.log(base) > 80 else base**exponent
