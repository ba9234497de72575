"""All settings of the system, read once. :mod:`infra.settings_sources` says from where, and in which order.

A ``main`` or a fixture builds one :class:`Settings` and passes it on. No other code reads the environment.
Each field is an environment variable ``RERANK_<FIELD>`` (see ``.env.example``).

``python -m infra.settings``: each setting with its value, its source and its meaning; ``--json`` for programs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from infra.limits import MAX_DEADLINE_MS
from infra.settings_sources import ParamsSource

LOOPBACK = ("127.0.0.1", "::1", "localhost")
ORIGIN = re.compile(r"https?://([a-z0-9.\-]+|\[[0-9a-f:]+\])(:\d{1,5})?")
PROJECT_ROOT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """Immutable. Raises pydantic's ``ValidationError``, which names the field, or BadParams, which names the file."""

    model_config = SettingsConfigDict(env_prefix="RERANK_", env_file=PROJECT_ROOT / ".env", frozen=True, extra="ignore")

    dataset: str = Field("complete_journey", description="Data set: Feast project, model name and folder.")
    data_dir: Path = Field(PROJECT_ROOT / "data", description="Logs, feature parquet, training sets, reports.")
    state_dir: Path = Field(PROJECT_ROOT / "var", description="Embedded Redis, Feast registry, MLflow, clock.")
    params_file: Path = Field(
        PROJECT_ROOT / "params.yaml", description="Parameters of the pipeline; params/NAME.yaml beside it counts more."
    )
    redis_url: str | None = Field(None, description="redis://host:port/db; unset starts an embedded server.")
    events_redis_url: str | None = Field(
        None, description="Redis that stores accepted events, with appendfsync always; unset starts an embedded one."
    )
    redis_timeout_s: float = Field(0.25, gt=0, description="Timeout of a Redis connection or reply, seconds.")
    mlflow_tracking_uri: str | None = Field(None, description="MLflow server; unset uses SQLite under state_dir.")
    clock: Literal["wall", "replay"] = Field("wall", description="wall, or replay from the end of the log.")
    host: str = Field("127.0.0.1", description="Address the scorer binds to.")
    port: int = Field(8000, ge=0, le=65535, description="Port the scorer binds to.")
    deadline_ms: int = Field(
        1500,
        gt=0,
        le=MAX_DEADLINE_MS,
        description="Deadline of one request, milliseconds; features not read in time are missing.",
    )
    max_in_flight: int = Field(
        256,
        ge=1,
        description="Requests of one endpoint that each scorer process answers at the same time; more are refused.",
    )
    max_connections: int = Field(
        1000, ge=2, description="Connections that each scorer process serves; requests of further ones are refused."
    )
    events_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may send events from a browser, separated by commas; * is any."
    )
    shop: bool = Field(
        False,
        description="The marketplace in the browser, at /. It lets a visitor act as any user of the log, so host "
        "must be loopback.",
    )
    ready_needs: Annotated[tuple[Literal["store", "events", "recommend"], ...], NoDecode] = Field(
        ("store",),
        description="Further checks without which /readyz is 503, separated by commas: store, events, recommend.",
    )
    item_cache_mb: int = Field(256, ge=0, description="Item cache of each scorer process, megabytes; 0: no cache.")
    self_check_share: float = Field(
        0.01, ge=0, le=1, description="Share of readings that the parity check compares with Feast's SDK."
    )
    materialize_rows_per_s: int = Field(0, ge=0, description="Max rows written to Redis per second; 0: no limit.")
    score_log_mb: int = Field(1024, ge=0, description="Max size of the score log on disk, megabytes; 0: no log.")
    score_log_matrix_share: float = Field(
        0.01, ge=0, le=1, description="Share of the logged scores that are stored with their feature matrix."
    )
    event_ahead_s: float = Field(
        60, ge=0, le=86_400, description="Seconds that an event_ts may be ahead of the clock; it then counts as now."
    )
    event_ahead: Literal["reject", "clamp"] = Field(
        "reject", description="An event_ts further ahead: reject the event, or clamp its time to now."
    )
    event_max_age_days: int = Field(30, ge=1, le=3650, description="Days ago that an event may have happened.")
    drain_s: float = Field(10.0, gt=0, description="Seconds between two writes of accepted events to the log.")
    workers: int = Field(1, ge=1, description="Scorer processes that share the port; each uses one core.")
    reload_s: float = Field(10.0, gt=0, description="Seconds between two looks at the registry for a new champion.")
    opentelemetry: bool = Field(False, description="FastAPI's traces and metrics, if a provider is set up.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    duckdb_memory_limit: str = Field("3GB", description="Memory DuckDB may use before it spills to disk.")
    threads: int = Field(2, ge=1, description="Threads for DuckDB and for training.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = (ParamsSource(settings_cls, is_own=True), ParamsSource(settings_cls, is_own=False))
        return init_settings, env_settings, dotenv_settings, *files

    @field_validator("dataset")
    @classmethod
    def _dataset_is_a_project_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_]{0,62}", value):
            raise ValueError(f"{value!r} must be lower-case letters, digits and underscores")
        return value

    @field_validator("events_origins", "ready_needs", mode="before")
    @classmethod
    def _list_is_separated_by_commas(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("events_origins")
    @classmethod
    def _origins_are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each != "*" and not ORIGIN.fullmatch(each):
                raise ValueError(f"{each!r} must be like https://shop.example or http://localhost:3000, or *")
        return value

    @model_validator(mode="after")
    def _shop_is_on_loopback(self) -> Self:
        if self.shop and self.host not in LOOPBACK:
            raise ValueError(
                f"shop lets a visitor act as any user of the log, so host must be one of {', '.join(LOOPBACK)}, "
                f"not {self.host}"
            )
        return self

    @property
    def log_dir(self) -> Path:
        return self.data_dir / self.dataset / "log"

    @property
    def live_dir(self) -> Path:
        """Data since the log was imported: accepted events in events/, served scores in scores/."""
        return self.data_dir / self.dataset / "live"

    @property
    def live_checked_dir(self) -> Path:
        """Accepted events that passed the live gate, and those that it set aside."""
        return self.data_dir / self.dataset / "live_checked"

    @property
    def features_dir(self) -> Path:
        return self.data_dir / self.dataset / "features"

    @property
    def training_dir(self) -> Path:
        return self.data_dir / self.dataset / "training"

    @property
    def reports_dir(self) -> Path:
        return self.data_dir / self.dataset / "reports"

    @property
    def feast_registry(self) -> Path:
        return self.state_dir / "feast" / f"{self.dataset}.db"

    @property
    def spill_dir(self) -> Path:
        return self.state_dir / "spill"

    @property
    def redis_dir(self) -> Path:
        return self.state_dir / "redis"

    @property
    def events_redis_dir(self) -> Path:
        return self.state_dir / "events_redis"

    @property
    def clock_file(self) -> Path:
        return self.state_dir / "clock" / f"{self.dataset}.json"

    @property
    def shop_dir(self) -> Path:
        """What the marketplace keeps: accounts, carts, orders, and the key of its cookies."""
        return self.state_dir / "shop" / self.dataset

    @property
    def model_name(self) -> str:
        return f"ranker-{self.dataset}"

    @property
    def recommend_name(self) -> str:
        """The model that ranks candidates of the sources."""
        return f"recommend-{self.dataset}"

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.state_dir / 'mlflow' / 'mlflow.db'}"


if __name__ == "__main__":
    from infra.settings_table import main  # it imports this module, here under its own name

    sys.exit(main())
