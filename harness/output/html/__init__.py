"""The parts of a report -> one self-contained HTML file."""

from harness.output.html.page import to_html

__all__ = ["to_html"]
