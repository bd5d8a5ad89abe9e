"""What a test sees of HTML: it must parse as XML, so that nothing unescaped and no control character is in it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

# Kept by JupyterLab's sanitizer and by GitHub.
TAGS = {"div", "span", "b", "u", "pre", "code", "dl", "dt", "dd", "details", "summary"}


def tree(html):
    root = ET.fromstring(f"<root>{html}</root>")
    assert {node.tag for node in root.iter()} <= {"root", *TAGS}
    assert {name for node in root.iter() for name in node.attrib} <= {"style"}
    return root


def words(html):
    return "".join(tree(html).itertext())


def first(html, tag):
    return "".join(next(tree(html).iter(tag)).itertext())
