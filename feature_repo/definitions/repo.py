"""Executes the definitions of this Feast repository for a data set, as ``feast apply`` does for the one in use."""

from __future__ import annotations

import importlib
import sys
import threading
from dataclasses import dataclass
from typing import TypeVar

from feast import Entity, FeatureService, FeatureView, Project
from feast.repo_operations import get_repo_files

from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.data_set import DataSet, using
from feature_repo.definitions.repo_paths import REPO
from feature_repo.definitions.view import FEATURE_SERVICE

T = TypeVar("T")
_loading = threading.RLock()


class BadDefinitions(DatasetError):
    """A module of the repository cannot be executed, or what it defines cannot be used."""


@dataclass(frozen=True)
class Repo:
    """All that the modules define, each object once."""

    projects: tuple[Project, ...]
    entities: tuple[Entity, ...]
    views: tuple[FeatureView, ...]
    services: tuple[FeatureService, ...]

    @property
    def objects(self) -> list[object]:
        return [*self.projects, *self.entities, *self.views, *self.services]

    @property
    def service(self) -> FeatureService:
        """Of the model's features. Raises BadDefinitions."""
        found = [each for each in self.services if each.name == FEATURE_SERVICE]
        if len(found) != 1:
            raise BadDefinitions(f"the modules of feature_repo define {len(found)} services {FEATURE_SERVICE}, not one")
        return found[0]


def load(data_set: DataSet) -> Repo:
    """Each call executes all modules anew, because what they define depends on the data set. Raises BadDefinitions."""
    names = [f"feature_repo.{path.relative_to(REPO).stem}" for path in get_repo_files(REPO)]
    with _loading, using(data_set):
        before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
        try:
            found = [value for name in names for value in vars(_executed(name)).values()]
        finally:
            for name in names:
                sys.modules.pop(name, None)
            sys.modules.update(before)
    repo = Repo(_each(Project, found), _each(Entity, found), _each(FeatureView, found), _each(FeatureService, found))
    _check_services(repo)
    return repo


def _executed(name: str) -> object:
    try:
        return importlib.import_module(name)
    except DatasetError:
        raise
    except Exception as error:  # whatever a user's module raises
        file = name.replace(".", "/") + ".py"
        raise BadDefinitions(f"{file} cannot be executed: {type(error).__name__}: {error}") from error


def _each(kind: type[T], found: list[object]) -> tuple[T, ...]:
    """Modules import from each other, so that an object may be found several times."""
    return tuple({id(each): each for each in found if isinstance(each, kind)}.values())


def _check_services(repo: Repo) -> None:
    served = {each.name for service in repo.services for each in service.feature_view_projections}
    for view in repo.views:
        if view.name not in served:
            raise BadDefinitions(
                f"{view.name} is in no feature service: add it to {FEATURE_SERVICE} in feature_repo/service.py"
            )
