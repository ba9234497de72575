"""Puts changes into the text of a file that the user has edited. All other lines stay as they are.

The parser says where each part stands, and only that part of the text is replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.writing.merge import Changes
from feature_repo.init.writing.tree import Entry, Place, entries
from feature_repo.init.writing.yaml_text import entry_text, flow, line_of

SECTION = "log"
BY_ANSWER = "as you answered"


def spliced(text: str, changes: Changes, bodies: Mapping[Entry, Any], reasons: Mapping[Place, str]) -> str:
    """``text`` with the changes. ``bodies``: the entries of the new guess. Raises DatasetError for another form."""
    for place, value in changes.replaced.items():
        text = _replaced(text, place, value, reasons.get(place, ""))
    added_entries = [place for place in changes.added if len(place) == 2 and place[0] == "files"]
    for place in added_entries:
        text = _with_entry(text, bodies[place[1]], place[1], reasons)
    for place, value in changes.added.items():
        if place[:2] not in added_entries:
            text = _with_line(text, place, value, reasons.get(place, ""))
    # Last, so that the list of files is never empty, and the last of equal entries first, so that their numbers hold.
    for place in sorted(changes.removed, key=lambda at: (len(at), at[1][2] if at[0] == "files" else 0), reverse=True):
        text = _removed(text, place)
    return text


def with_paths(text: str, paths: Mapping[tuple[str, str], str]) -> str:
    """``text`` with another path in all entries of (table, path)."""
    for (table, path), to in paths.items():
        entry = (table, path, 0)  # always the first: with another path it is none of them any more
        while (log := section_of(text)) is not None and _entry(log, entry) is not None:
            text = _replaced(text, ("files", entry, "path"), to, "")
    return text


def set_values(text: str, values: Mapping[Place, Any]) -> str:
    """``text`` with each value at its place, put there or replaced."""
    for place, value in values.items():
        parent, key = _parent(text, place)
        is_there = parent is not None and any(name.value == key for name, _ in parent.value)
        text = _replaced(text, place, value, BY_ANSWER) if is_there else _with_line(text, place, value, BY_ANSWER)
    return text


def section_of(text: str) -> yaml.MappingNode | None:
    """The section ``log``. Raises DatasetError where the file is no YAML."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise DatasetError(f"the parameters are not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(root, yaml.MappingNode):
        return None
    found = next((value for name, value in root.value if name.value == SECTION), None)
    return found if isinstance(found, yaml.MappingNode) else None


def with_section(text: str, section: str) -> str:
    """``text`` with another section ``log``; the other sections stay."""
    root = yaml.compose(text, Loader=yaml.SafeLoader) if text.strip() else None
    pair = next((p for p in root.value if p[0].value == SECTION), None) if isinstance(root, yaml.MappingNode) else None
    if pair is None:
        return f"{text.rstrip()}\n\n{section}" if text.strip() else section
    lines = text.splitlines(keepends=True)
    first, last = pair[0].start_mark.line, _last_line(pair[1])
    return "".join(lines[:first]) + section + "".join(lines[last + 1 :])


def _parent(text: str, place: Place) -> tuple[yaml.MappingNode | None, Any]:
    """(the mapping that holds the last key of ``place``, that key)."""
    node: Any = section_of(text)
    if place[0] == "files" and node is not None:
        body = _entry(node, place[1])
        if len(place) == 3:
            return body, place[2]
        return (_child(body, "columns") if body is not None else None), place[3]
    return node, place[0]


def _child(node: yaml.MappingNode, key: Any) -> Any:
    return next((value for name, value in node.value if name.value == str(key)), None)


def _entry(log: yaml.MappingNode, entry: Entry) -> yaml.MappingNode | None:
    files = _child(log, "files")
    if not isinstance(files, yaml.SequenceNode):
        return None
    bodies = [each for each in files.value if isinstance(each, yaml.MappingNode)]
    told = entries([{name.value: value.value for name, value in body.value} for body in bodies])
    return next((body for body, each in zip(bodies, told, strict=True) if each == entry), None)


def _last_line(node: Any) -> int:
    """Of the node's own characters: a block mapping's mark ends behind its comments."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    line: int = node.end_mark.line
    # A block scalar ends at the start of the line behind it.
    return line - 1 if node.end_mark.column == 0 and line > node.start_mark.line else line


def _need(node: Any, place: Place) -> Any:
    if not isinstance(node, yaml.MappingNode):
        raise DatasetError(
            f"the parameters have another form than expected at {'.'.join(map(str, place))}: edit it by hand"
        )
    return node


def _pair(node: yaml.MappingNode, key: Any, place: Place) -> tuple[Any, Any]:
    found = next((pair for pair in node.value if pair[0].value == str(key)), None)
    if found is None:
        raise DatasetError(f"the parameters have no {'.'.join(map(str, place))}: edit it by hand")
    return found[0], found[1]


def _replaced(text: str, place: Place, value: Any, reason: str) -> str:
    parent, key = _parent(text, place)
    name, node = _pair(_need(parent, place), key, place)
    lines = text.splitlines(keepends=True)
    first, last = name.start_mark.line, _last_line(node)
    if parent is not None and parent.flow_style:
        return text[: node.start_mark.index] + flow(value) + text[node.end_mark.index :]
    new = line_of(name.start_mark.column, key, value, reason)
    return "".join([*lines[:first], new + "\n", *lines[last + 1 :]])


def _removed(text: str, place: Place) -> str:
    lines = text.splitlines(keepends=True)
    if place[0] == "files" and len(place) == 2:
        log = section_of(text)
        body = _need(_entry(log, place[1]) if log is not None else None, place)
        first, last = body.start_mark.line, _last_line(body)
    else:
        parent, key = _parent(text, place)
        if parent is None:
            return text  # gone with its entry
        if parent.flow_style:
            raise DatasetError(f"{'.'.join(map(str, place))} is no longer in your files: take it out of the parameters")
        name, node = _pair(parent, key, place)
        first, last = name.start_mark.line, _last_line(node)
    return "".join(lines[:first] + lines[last + 1 :])


def _with_line(text: str, place: Place, value: Any, reason: str) -> str:
    """A new last key of its mapping."""
    parent, key = _parent(text, place)
    node = _need(parent, place)
    if node.flow_style:
        end = node.end_mark.index - 1
        between = ", " if node.value else ""
        return f"{text[:end].rstrip()}{between}{flow(key)}: {flow(value)}{text[end:]}"
    return _after(text, _last_line(node), line_of(node.value[0][0].start_mark.column, key, value, reason))


def _with_entry(text: str, body: Mapping[str, Any], entry: Entry, reasons: Mapping[Place, str]) -> str:
    log = _need(section_of(text), (SECTION,))
    files = _child(log, "files")
    if files is None:
        indent = log.value[0][0].start_mark.column
        new = " " * indent + "files:\n" + entry_text(indent + 2, body, entry, reasons)
        return _after(text, _last_line(log), new)
    if not isinstance(files, yaml.SequenceNode) or files.flow_style or not files.value:
        raise DatasetError(
            "log.files of the parameters has another form than expected: put each entry on a line of its own"
        )
    indent = files.value[0].start_mark.column - 2
    return _after(text, _last_line(files), entry_text(indent, body, entry, reasons))


def _after(text: str, line: int, new: str) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return "".join([*lines[: line + 1], new + "\n", *lines[line + 1 :]])
