"""The pages of the documentation: their shell blocks, code spans, links and headings.

A comment above a block says how the test treats it:

    <!-- server -->              the block serves until Ctrl-C; the page's later blocks need it
    <!-- not run: REASON -->     the block is checked, and not run
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
README = PROJECT_ROOT / "README.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (server|not run: (.+)) -->\s*\Z")
_SEPARATORS = {";", "|", "&", "&&", "||"}


@dataclass(frozen=True)
class Block:
    """A fenced block of shell commands. ``not_run`` is the reason, empty for a block that is run."""

    page: str
    line: int
    text: str
    is_server: bool
    not_run: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(PROJECT_ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def blocks(self) -> Iterator[Block]:
        for found in _FENCE.finditer(self.text):
            if found[1] != "sh":
                continue
            before = self.text[: found.start()]
            mark = _MARK.search(before)
            kind, reason = (mark[1], mark[2] or "") if mark else ("", "")
            yield Block(self.name, before.count("\n") + 2, found[2], kind == "server", reason)

    def fences(self) -> list[str]:
        """The languages of all fenced blocks."""
        return [found[1] for found in _FENCE.finditer(self.text)]

    def spans(self) -> list[str]:
        """Code in backticks, white space as one blank."""
        return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", self.prose)]

    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    def anchors(self) -> set[str]:
        """As GitHub and MkDocs make them of headings."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def pages() -> list[Page]:
    """The README, then the pages in the order of the site's navigation."""
    return [Page(README), *(Page(DOCS / name) for name in navigation())]


def navigation() -> list[str]:
    def names(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        for each in entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ():
            yield from names(each)

    return list(names(yaml.safe_load((PROJECT_ROOT / "mkdocs.yml").read_text())["nav"]))


def commands(text: str) -> list[list[str]]:
    """The simple commands of a shell text, each as its words, also those inside ``$(…)``."""
    found: list[list[str]] = []
    text, inner = _without_substitutions(text.replace("\\\n", " "))
    for each in inner:
        found += commands(each)
    for statement in _statements(text):
        lexer = shlex.shlex(statement, posix=True, punctuation_chars=";|&")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in _SEPARATORS:
                found.append(words)
                words = []
            else:
                words.append(word)
        found.append(words)
    return [words for words in found if words]


def _statements(text: str) -> Iterator[str]:
    """Lines, joined where a quoted text goes on."""
    statement = ""
    for line in text.splitlines():
        statement += line + "\n"
        try:
            shlex.split(statement, comments=True)
        except ValueError:
            continue
        yield statement
        statement = ""
    assert not statement, f"a quote is not closed: {statement}"


def _without_substitutions(text: str) -> tuple[str, list[str]]:
    inner = []
    while (start := text.find("$(")) >= 0:
        depth, quote, end = 1, "", start + 2
        while depth:
            letter = text[end]
            if quote:
                quote = "" if letter == quote else quote
            elif letter in "'\"":
                quote = letter
            else:
                depth += {"(": 1, ")": -1}.get(letter, 0)
            end += 1
        inner.append(text[start + 2 : end - 1])
        text = text[:start] + "SUBSTITUTED" + text[end:]
    return text, inner
