"""The Feast objects of the data set in use, for ``feast -c feature_repo apply``.

Feast imports only this module of the folder (see ``.feastignore``). It looks for objects in module variables, so
each object gets one.
"""

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.feast_objects import feast_objects
from infra.settings import Settings

_settings = Settings()
_objects = feast_objects(_settings, declaration_of(_settings))
globals().update({f"object_{i}": feast_object for i, feast_object in enumerate(_objects)})
