"""Breaking one rule of a module on purpose, to see that the tests notice."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any


@dataclass(frozen=True)
class Mutation:
    """``right`` occurs once in the module's source; ``wrong`` is put in its place."""

    module: ModuleType
    right: str
    wrong: str


@contextmanager
def mutated(mutation: Mutation) -> Iterator[None]:
    """The module's functions run the code of a copy whose source is rewritten in one place."""
    source = inspect.getsource(mutation.module)
    assert source.count(mutation.right) == 1, f"{mutation.module.__name__} no longer says {mutation.right!r}"
    broken: dict[str, Any] = {"__name__": mutation.module.__name__}
    exec(compile(source.replace(mutation.right, mutation.wrong), "mutant", "exec"), broken)
    own = [
        each
        for each in vars(mutation.module).values()
        if isinstance(each, FunctionType) and each.__module__ == mutation.module.__name__
    ]
    codes = [each.__code__ for each in own]
    try:
        for each in own:
            each.__code__ = broken[each.__name__].__code__
        yield
    finally:
        for each, code in zip(own, codes, strict=True):
            each.__code__ = code
