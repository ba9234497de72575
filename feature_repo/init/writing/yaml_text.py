"""The section ``log`` as YAML for people: one line per column, each with its reason behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from feature_repo.init.writing.tree import Entry, Place, entries

LINE = 118


def flow(value: Any) -> str:
    """A value in one line: ``{from: ts, unit: s}``."""
    dumped: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return dumped.removesuffix("\n").removesuffix("\n...")


def line_of(indent: int, name: Any, value: Any, reason: str = "") -> str:
    """``name: value  # reason``; a reason that is too long for the line stands above it."""
    text = f"{' ' * indent}{flow(name)}: {flow(value)}"
    return commented(text, indent, reason)


def commented(text: str, indent: int, reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        return text
    if len(text) + len(reason) + 4 <= LINE:
        return f"{text}  # {reason}"
    return f"{' ' * indent}# {reason}\n{text}"


def entry_text(indent: int, body: Mapping[str, Any], entry: Entry, reasons: Mapping[Place, str]) -> str:
    """An item of the list ``files``."""
    inner = indent + 2
    lines = [f"{' ' * indent}# {reasons.get(('files', entry), '')}".rstrip(" #") or ""]
    lines.append(f"{' ' * indent}- table: {flow(body['table'])}")
    for name, value in body.items():
        if name == "columns":
            lines.append(f"{' ' * inner}columns:")
            lines += [
                line_of(inner + 2, column, made, reasons.get(("files", entry, "columns", column), ""))
                for column, made in value.items()
            ]
        elif name != "table":
            lines.append(line_of(inner, name, value))
    return "\n".join(line for line in lines if line)


def document(tree: Mapping[str, Any], reasons: Mapping[Place, str], head: str, foot: str) -> str:
    """The whole file. ``head`` and ``foot`` are texts that become comments."""
    lines = [*_comment(head), "log:"]
    for name, value in tree.items():
        if name == "files":
            lines.append("  files:")
            lines += [entry_text(4, body, entry, reasons) for entry, body in zip(entries(value), value, strict=True)]
        else:
            lines.append(line_of(2, name, value, reasons.get((name,), "")))
    return "\n".join([*lines, *_comment(foot)]) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]
