"""Changes values in the text of a file of parameters and nothing else: comments, order, quotes and line breaks stay.

A YAML library that writes the whole file again lays it out anew. Here the parser says where each value stands, and only
that piece of the text is replaced; the result is parsed and compared with what was meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from infra.params import BadParams

STEP = "  "


def edited(text: str, section: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """``values``: dotted path below ``section`` -> a number, text or bool. Missing parents are made.

    Raises BadParams.
    """
    wanted = yaml.safe_load(text) or {}
    for name, value in values.items():
        path = (*section, *name.split("."))
        text = _replaced(text, path, value)
        at = wanted
        for parent in path[:-1]:
            at[parent] = at.get(parent) or {}
            at = at[parent]
        at[path[-1]] = value
    if yaml.safe_load(text) != wanted:
        raise BadParams(f"{'.'.join(section)} cannot be edited; write the values by hand")
    return text


def nested(section: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """The same values as YAML of their own."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        at = tree
        for parent in (*section, *name.split("."))[:-1]:
            at = at.setdefault(parent, {})
        at[name.rpartition(".")[2]] = value
    return yaml.safe_dump(tree, sort_keys=False)


def _replaced(text: str, path: tuple[str, ...], value: Any) -> str:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None or node.tag == "tag:yaml.org,2002:null":  # only comments
        return "\n".join([text.removesuffix("\n"), *_block(path, value, "")]).lstrip("\n") + "\n"
    for depth, name in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            raise BadParams(f"{'.'.join(path[:depth])} is not a mapping")
        found = next((each for key, each in node.value if key.value == name), None)
        if found is None or (depth < len(path) - 1 and found.tag == "tag:yaml.org,2002:null"):
            if found is not None:
                return _spliced(text, found, _separated(text, found, _flow(path[depth + 1 :], value)))
            return _inserted(text, node, path[depth:], value)
        node = found
    if not isinstance(node, yaml.ScalarNode):
        raise BadParams(f"{'.'.join(path)} is not a single value")
    return _spliced(text, node, _separated(text, node, _scalar(value)))


def _spliced(text: str, node: Any, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]


def _separated(text: str, node: Any, new: str) -> str:
    """With a blank where an empty value stands directly behind its colon."""
    return f" {new}" if text[node.start_mark.index - 1] == ":" else new


def _inserted(text: str, node: Any, path: tuple[str, ...], value: Any) -> str:
    """A new last entry of the mapping."""
    if node.flow_style:
        if not node.value:
            return _spliced(text, node, _flow(path, value))
        end = node.value[-1][1].end_mark.index
        return f"{text[:end]}, {_flow(path, value)[1:-1]}{text[end:]}"
    lines = _block(path, value, " " * node.value[0][0].start_mark.column)
    end = text.find("\n", _last(node).end_mark.index)
    if end < 0:
        return "\n".join([text, *lines])
    return "\n".join([text[:end], *lines]) + text[end:]


def _block(path: tuple[str, ...], value: Any, indent: str) -> list[str]:
    lines = [f"{indent}{STEP * depth}{name}:" for depth, name in enumerate(path)]
    lines[-1] += f" {_scalar(value)}"
    return lines


def _last(node: Any) -> Any:
    """The last node in the text that ends where its own characters do: a block mapping ends behind its comments."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def _flow(path: tuple[str, ...], value: Any) -> str:
    return "".join(f"{{{name}: " for name in path) + _scalar(value) + "}" * len(path)


def _scalar(value: Any) -> str:
    dumped: str = yaml.safe_dump(value, default_flow_style=True)
    return dumped.removesuffix("\n").removesuffix("\n...")
