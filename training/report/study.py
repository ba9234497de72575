"""What the sections of the page share: the study that they describe, and what stands where nothing was run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from feature_repo.datasets.errors import DatasetError
from infra.models.model_store import ModelStoreError
from infra.settings import Settings


@dataclass(frozen=True)
class Study:
    """``params``: all sections. ``at``: the log is described as it was known then; None: all of it."""

    settings: Settings
    params: Mapping[str, Any]
    at: datetime | None = None

    @cached_property
    def recommend(self) -> Mapping[str, Any]:
        """The parameters of the recommender."""
        found: Mapping[str, Any] = self.params["recommend"]
        return found

    def training_file(self, *names: str) -> Path:
        return self.settings.training_dir.joinpath(*names)


@dataclass(frozen=True)
class Section:
    """``anchor``: of the link to it. ``body``: HTML."""

    anchor: str
    title: str
    body: str

    def html(self) -> str:
        return f'<section id="{self.anchor}"><h2>{escape(self.title)}</h2>\n{self.body}</section>\n'


def block(make: Callable[[], str], command: str) -> str:
    """What ``make`` returns. Where a file is missing the command that was not run, where one is broken the fault."""
    try:
        return make()
    except FileNotFoundError:
        return not_run(command)
    except (OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return _broken(error, command)
    except (DatasetError, ModelStoreError) as error:
        return _broken(error, command)


def not_run(command: str, why: str = "") -> str:
    reason = f" ({escape(why)})" if why else ""
    return f"<p class=missing>not run{reason}: <code>{escape(command)}</code></p>\n"


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises FileNotFoundError, or ValueError."""
    found = json.loads(path.read_text())
    if not isinstance(found, dict):
        raise ValueError(f"{path} must contain an object, not {type(found).__name__}")
    return found


def note(text: str) -> str:
    return f"<p class=note>{escape(text)}</p>\n"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>\n"


def _broken(error: Exception, command: str) -> str:
    fault = escape(f"{type(error).__name__}: {error}"[:300])
    return f"<p class=missing>cannot be shown ({fault}); run <code>{escape(command)}</code> again</p>\n"
