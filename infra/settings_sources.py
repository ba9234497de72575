"""Where a setting comes from. The first of these that has it counts, for make, dvc and every command alike:

1. the command line: ``make run DATASET=my_shop RERANK_PORT=8080``. make hands it on as the environment
2. the environment, RERANK_<FIELD>
3. .env at the project's root
4. params/NAME.yaml of the data set NAME, section ``settings``
5. params.yaml: ``dataset``, and the section ``settings``
6. the default in :class:`infra.settings.Settings`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, PydanticBaseSettingsSource

from infra.params import DATASET, BadParams, own_file, read_file

SECTION = "settings"
ENVIRONMENT, ENV_FILE, DEFAULT = "environment", ".env", "default"
NEVER_IN_FILES = {
    "dataset": "params.yaml has `dataset` at its top",
    **dict.fromkeys(("data_dir", "state_dir", "params_file"), "it is of this machine"),
    **dict.fromkeys(("redis_url", "events_redis_url", "mlflow_tracking_uri"), "a URL may hold a password"),
}


class ParamsSource(PydanticBaseSettingsSource):
    """``is_own``: params/NAME.yaml, else params.yaml. Raises BadParams when called."""

    def __init__(self, settings_cls: type[BaseSettings], *, is_own: bool) -> None:
        super().__init__(settings_cls)
        self.is_own = is_own

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        params_file, dataset = located(self.settings_cls, self.current_state)
        return in_file(self.settings_cls, own_file(params_file, dataset) if self.is_own else params_file, self.is_own)


def located(settings_cls: type[BaseSettings], state: Mapping[str, Any]) -> tuple[Path, str]:
    """params.yaml and the name of the data set. ``state``: what the sources above the files say. Raises BadParams."""
    fields = settings_cls.model_fields
    params_file = Path(state.get("params_file") or fields["params_file"].default)
    dataset = state.get(DATASET) or read_file(params_file).get(DATASET) or fields[DATASET].default
    return params_file, Path(str(dataset)).name  # a name that cannot be is refused later, and reads no other folder


def in_file(settings_cls: type[BaseSettings], path: Path, is_own: bool) -> dict[str, Any]:
    """The settings that a file of parameters holds. Raises BadParams."""
    found = read_file(path, is_own=is_own)
    listed: dict[str, Any] = found.get(SECTION, {})
    name = f"params/{path.name}" if is_own else path.name
    for field in listed:
        if field in NEVER_IN_FILES:
            instead = "" if field == DATASET else f": set RERANK_{field.upper()} in the environment or .env"
            raise BadParams(f"{name}, settings.{field}: cannot be set here, {NEVER_IN_FILES[field]}{instead}")
        if field not in settings_cls.model_fields:
            known = ", ".join(each for each in settings_cls.model_fields if each not in NEVER_IN_FILES)
            raise BadParams(f"{name}, settings.{field}: no such setting; there are {known}")
    return {**listed, **({DATASET: found[DATASET]} if found.get(DATASET) else {})}


def origins(settings_cls: type[BaseSettings]) -> dict[str, str]:
    """Field -> the name of its source, for all fields that a source has. Raises BadParams."""
    environment, env_file = EnvSettingsSource(settings_cls)(), DotEnvSettingsSource(settings_cls)()
    params_file, dataset = located(settings_cls, {**env_file, **environment})
    own = own_file(params_file, dataset)
    sources = (
        (params_file.name, in_file(settings_cls, params_file, is_own=False)),
        (f"params/{own.name}", in_file(settings_cls, own, is_own=True)),
        (ENV_FILE, env_file),
        (ENVIRONMENT, environment),
    )
    return {field: name for name, values in sources for field in values if field in settings_cls.model_fields}
