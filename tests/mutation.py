"""Breaks one rule of a module on purpose, to check that the tests notice it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """``right`` occurs once in the module's source. ``wrong`` replaces it."""

    module: ModuleType
    right: str
    wrong: str


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """Within the context, the module's functions run the mutated source."""
    source = inspect.getsource(mutation.module)
    assert source.count(mutation.right) == 1, f"{mutation.module.__name__} must contain {mutation.right!r} once"
    broken: dict[str, Any] = {"__name__": mutation.module.__name__}
    exec(compile(source.replace(mutation.right, mutation.wrong), "mutant", "exec"), broken)
    functions = [
        value
        for value in vars(mutation.module).values()
        if isinstance(value, FunctionType) and value.__module__ == mutation.module.__name__
    ]
    codes = [function.__code__ for function in functions]
    try:
        for function in functions:
            function.__code__ = broken[function.__name__].__code__
        yield
    finally:
        for function, code in zip(functions, codes, strict=True):
            function.__code__ = code
