"""What several tests need and no fixture can give."""

import re
import shlex

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document, language):
    """(attributes, text) of every fenced block of one language in a Markdown file."""
    found = BLOCK.findall(document.read_text())
    return [(attributes.strip(), text) for name, attributes, text in found if name == language]


def console_commands(document):
    """Every command of a Markdown file's console blocks, split into words."""
    lines = [line for _, text in blocks(document, "console") for line in text.splitlines()]
    assert all(line.startswith("$ ") for line in lines), f"{document.name}: a console block holds commands alone"
    return [shlex.split(line[2:]) for line in lines]
