"""What ``feast -c feature_repo apply`` registers: the objects of the data set in use.

The only module of this folder that Feast imports (see ``.feastignore``); it finds objects by module
variable, so each gets one.
"""

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.feast_objects import feast_objects
from infra.settings import Settings

_settings = Settings()
globals().update({f"object_{i}": each for i, each in enumerate(feast_objects(_settings, declaration_of(_settings)))})
