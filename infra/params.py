"""Parameters of the pipeline: params.yaml, and over it params/NAME.yaml for the data set NAME.

Mappings are merged key by key. Any other value, a list too, replaces the whole value of params.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from infra.settings import Settings

Params = Mapping[str, Any]

SECTIONS = ("log", "split", "train", "gru4rec", "recommend", "settings")
DATASET = "dataset"  # in params.yaml only
SPLIT = ("validation_start", "test_start", "from_log")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, where PyYAML has it


class BadParams(ValueError):
    """A file of parameters is missing or has another form than expected. The message names file and key."""


def own_file(params_file: Path, dataset: str) -> Path:
    """The file whose values count for one data set only."""
    return params_file.parent / "params" / f"{dataset}.yaml"


def read_params(settings: Settings) -> dict[str, Any]:
    """All sections for the data set of the settings. Times are texts in ISO 8601. Raises BadParams."""
    if not settings.params_file.exists():
        raise BadParams(f"{settings.params_file}: No such file; name it by RERANK_PARAMS_FILE")
    shared = read_file(settings.params_file)
    return merged(shared, read_file(own_file(settings.params_file, settings.dataset), is_own=True))


def read_file(path: Path, *, is_own: bool = False) -> dict[str, Any]:
    """One file as it stands; without the file, nothing. ``is_own``: it is of one data set. Raises BadParams."""
    name = f"params/{path.name}" if is_own else path.name
    try:
        found = yaml.load(path.read_text(), _Loader)  # both loaders are safe
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadParams(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BadParams(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadParams(f"{name} must hold sections, as in `train: {{seed: 7}}`, not {found!r}")
    known = SECTIONS if is_own else (DATASET, *SECTIONS)
    for key, value in found.items():
        if key == DATASET and is_own:
            raise BadParams(f"{name}, dataset: only params.yaml says which data set it is")
        if key not in known:
            raise BadParams(f"{name}, {key}: no such section; there are {', '.join(known)}")
        if key != DATASET and not isinstance(value, dict | None):
            raise BadParams(f"{name}, {key}: must hold names with values, not {value!r}")
    _refuse_data_sets(found, name)
    return {key: {} if value is None else _without_times(value) for key, value in found.items()}


def _refuse_data_sets(found: Params, name: str) -> None:
    """What is meant for one data set stands in its own file, not below the name of the data set."""
    for key in found.get("split") or {}:
        if key not in SPLIT:
            raise BadParams(
                f"{name}, split.{key}: no such name; there are {', '.join(SPLIT)}. "
                "What is meant for one data set only belongs in params/NAME.yaml"
            )
    if "datasets" in (found.get("recommend") or {}):
        raise BadParams(f"{name}, recommend.datasets: move each part to `recommend` in params/NAME.yaml")


def _without_times(value: Any) -> Any:
    """YAML reads an unquoted timestamp as a time."""
    if isinstance(value, dict):
        return {key: _without_times(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_times(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def merged(base: Params, over: Params) -> dict[str, Any]:
    """The values of ``over`` count where both have one."""
    found = dict(base)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = merged(found[name], value) if both else value
    return found
