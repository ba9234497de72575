"""A registered model's champion in service, if its contract is that of this code.

When the registry's alias moves, the new champion is loaded and compiled while the old one serves, and replaces it
between two requests. A champion that cannot be loaded, or whose contract differs, is refused, and the old one stays in
service. A version that was refused for its files or its contract is not loaded again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.declarations.declaration_json import declaration_from_json
from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import Declaration
from infra.models.model_contract import ModelContract
from infra.models.model_store import BrokenModel, LoadedModel, ModelStore, NoModel, RefusedVersion
from infra.models.trees.compiled_trees import compiled
from infra.settings import Settings
from serving.errors import NotReady
from serving.features.feature_readers import FeatureReaders
from serving.features.shared_readers import SharedReaders

M = TypeVar("M")  # what belongs to a version beside its ranker
S = TypeVar("S")  # what answers requests

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Purpose(Generic[M, S]):
    """What a registered model is loaded for.

    name:        of the registered model
    read:        reads from a version's folder what belongs to it beside the ranker
    contract:    of the present code, for a project, a declaration and what ``read`` returned
    serve:       makes what answers requests
    in_service:  is called with each model that is put in service
    refused:     is called after each look: whether the present champion is refused
    is_optional: without a registered version nothing is wrong
    """

    name: str
    read: Callable[[Path], M]
    contract: Callable[[str, Declaration, M], ModelContract]
    serve: Callable[[LoadedModel, M, Declaration, FeatureReaders], S]
    in_service: Callable[[LoadedModel], None]
    refused: Callable[[bool], None]
    is_optional: bool = False


class RegisteredModel(Generic[M, S]):
    """What answers requests, or the reasons why nothing does.

    ``model_problem`` and ``contract_problems`` are empty when a model is in service. ``successor_problem``: why the
    present champion is not the model in service. ``is_absent``: no version is the champion. :meth:`look` is called by
    one thread; the rest by any.
    """

    def __init__(self, settings: Settings, purpose: Purpose[M, S], readers: SharedReaders) -> None:
        self._settings = settings
        self._purpose = purpose
        self._readers = readers
        self._served: tuple[LoadedModel, Declaration, S] | None = None
        self.model_problem = "the model is not loaded yet"
        self.contract_problems: list[str] = []
        self.successor_problem = ""
        self.is_absent = False
        # A version, what is wrong with its files, and how its contract differs.
        self._refused: tuple[str, str, list[str]] | None = None

    def get(self) -> S:
        """Raises NotReady with the reasons."""
        served = self._served
        if served is None:
            raise NotReady([reason for reason in (self.model_problem, *self.contract_problems) if reason])
        return served[2]

    @property
    def is_served(self) -> bool:
        return self._served is not None

    @property
    def declaration(self) -> Declaration | None:
        """The data set of the model in service."""
        served = self._served
        return None if served is None else served[1]

    @property
    def features(self) -> FeatureReaders | None:
        """The feature readers of the model in service."""
        return self._readers.of(self._purpose.name)

    def withdraw(self) -> None:
        """Take the model out of service."""
        self._served = None

    def look(self, is_closing: Callable[[], bool]) -> None:
        """Put the champion in service, unless it is in service already or must be refused."""
        served = self._served
        version: str | None = None
        self.is_absent = False
        try:
            store = ModelStore(self._settings, self._purpose.name)
            found = store.champion()
            version = None if found is None else str(found.version)
            if served is not None and version == served[0].version:
                self._refused = None
                self._note("", [])
                return
            if self._refused is not None and version == self._refused[0]:
                self._note(*self._refused[1:])
                return
            model, more = store.load_with(self._purpose.read)
            trained_on = declaration_in(model)
            problems = self._contract_problems(model, trained_on, more)
            self._refused = (model.version, "", problems) if problems else None
            self._note("", problems)
            if not problems:
                self._serve(model, more, trained_on, is_closing)
        except NoModel as error:
            self.is_absent = True
            self._note(str(error), [])
        except RefusedVersion as error:
            self._refused = (version, str(error), []) if version is not None else None
            self._note(str(error), [])
        except Exception as error:  # a registry fails in many ways; none may end the process or the thread
            self._note(f"{type(error).__name__}: {error}", [])

    def _contract_problems(self, model: LoadedModel, trained_on: Declaration, more: M) -> list[str]:
        """How the model's contract differs from this code's, one sentence each.

        The data set's own declaration is compared too. A scorer without the log has only the model's.
        """
        try:
            declaration = declaration_of(self._settings)
        except DatasetError:
            declaration = trained_on
        present = self._purpose.contract(self._settings.dataset, declaration, more)
        return [
            f"the model's contract differs from this scorer's: {difference}"
            for difference in model.contract.differences(present)
        ]

    def _note(self, model_problem: str, contract_problems: list[str]) -> None:
        problems = [each for each in (model_problem, *contract_problems) if each]
        served = self._served
        if served is None:
            known = (self.model_problem, self.contract_problems)
            self.model_problem, self.contract_problems = model_problem, contract_problems
            if (model_problem, contract_problems) != known:
                level = logging.INFO if self.is_absent and self._purpose.is_optional else logging.ERROR
                for problem in problems:
                    log.log(level, "no model in service: %s", problem)
            return
        text = "; ".join(problems)
        if text and text != self.successor_problem:
            log.error(
                "%s version %s stays in service, because the champion cannot replace it: %s",
                served[0].name,
                served[0].version,
                text,
            )
        self.successor_problem = text
        self._purpose.refused(bool(text))

    def _serve(self, model: LoadedModel, more: M, declaration: Declaration, is_closing: Callable[[], bool]) -> None:
        ranker, engine = compiled(model.ranker, model.rows)
        model = replace(model, ranker=ranker, engine=engine)
        if is_closing():
            return
        readers = self._readers.take(self._purpose.name, declaration)
        served = self._purpose.serve(model, more, declaration, readers)
        self._purpose.in_service(model)
        self._served = (model, declaration, served)
        log.info("in service: %s version %s (%s)", model.name, model.version, model.kind)


def declaration_in(model: LoadedModel) -> Declaration:
    """The declaration that the model was trained on. Raises BrokenModel."""
    try:
        return declaration_from_json(json.dumps(model.contract.declaration))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenModel(f"{model.name} version {model.version}: its declaration cannot be read: {error}") from error
