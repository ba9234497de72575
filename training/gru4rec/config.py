"""Settings of the sequence model: the parameters' section ``gru4rec``, then ``section.name=value`` arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml

from infra.settings import Settings
from training.gru4rec.config_values import convert
from training.gru4rec.errors import BadConfig
from training.gru4rec.folders import Folders

SECTION = "gru4rec"
MAX_DAYS = 36_500


@dataclass(frozen=True)
class DataConfig:
    """``source``: the folder of a canonical log, a RetailRocket events.csv or a SessionId/ItemId/Time TSV; the default
    is the data set's log. ``test`` and ``validation``: TSVs of a split that exists already. Then no filter is applied;
    only items that are not in train are dropped. The days count back from the last event; ``validation_days`` 0: no
    validation.
    """

    source: str = ""
    validation: str = ""
    test: str = ""
    actions: tuple[str, ...] = ("view", "add_to_cart", "order")
    session_gap_minutes: float = 30.0
    drop_repeats: bool = True
    min_session: int = 2
    min_item: int = 5
    test_days: float = 7.0
    validation_days: float = 7.0

    def __post_init__(self) -> None:
        _require(bool(self.actions), "data.actions", "at least one action")
        max_gap = MAX_DAYS * 24 * 60
        _require(0 < self.session_gap_minutes <= max_gap, "data.session_gap_minutes", f"more than 0, at most {max_gap}")
        _require(self.min_session >= 2, "data.min_session", "at least 2: a shorter session has no next item")
        _require(self.min_item >= 1, "data.min_item", "at least 1")
        _require(0 < self.test_days <= MAX_DAYS, "data.test_days", f"more than 0 and at most {MAX_DAYS}")
        _require(0 <= self.validation_days <= MAX_DAYS, "data.validation_days", f"from 0 to {MAX_DAYS}")
        _require(not self.validation or bool(self.test), "data.validation", "given together with data.test")


@dataclass(frozen=True)
class ModelConfig:
    """Dropout is the probability that a value is dropped."""

    hidden_size: int = 100
    dropout_embedding: float = 0.0
    dropout_hidden: float = 0.0

    def __post_init__(self) -> None:
        _require(self.hidden_size >= 1, "model.hidden_size", "at least 1")
        for name in ("dropout_embedding", "dropout_hidden"):
            _require(0 <= getattr(self, name) < 1, f"model.{name}", "from 0 to below 1, the share that is dropped")


@dataclass(frozen=True)
class TrainConfig:
    """``logq``: strength of the logQ correction, 0 for none. ``bpr_penalty``: used by bpr_max only.

    ``patience``: epochs without a better validation MRR@20 after which training stops; with 0 it never stops early.
    """

    loss: Literal["cross_entropy", "bpr_max"] = "cross_entropy"
    batch_size: int = 64
    n_samples: int = 512
    sample_alpha: float = 0.5
    logq: float = 1.0
    bpr_penalty: float = 1.0
    learning_rate: float = 0.1
    momentum: float = 0.0
    epochs: int = 10
    patience: int = 3
    seed: int = 7
    threads: int = 1
    resume: bool = False
    mlflow: bool = True

    def __post_init__(self) -> None:
        for name in ("batch_size", "epochs", "threads"):
            _require(getattr(self, name) >= 1, f"train.{name}", "at least 1")
        for name in ("n_samples", "logq", "bpr_penalty", "patience", "seed"):
            _require(getattr(self, name) >= 0, f"train.{name}", "at least 0")
        _require(0 <= self.sample_alpha <= 1, "train.sample_alpha", "from 0 (uniform) to 1 (by support)")
        _require(self.learning_rate > 0, "train.learning_rate", "more than 0")
        _require(0 <= self.momentum < 1, "train.momentum", "from 0 to below 1")
        _require(self.batch_size + self.n_samples > 1, "train.n_samples", "more than 0 with a batch size of 1")


@dataclass(frozen=True)
class EvaluateConfig:
    ks: tuple[int, ...] = (1, 5, 10, 20)
    split: Literal["val", "test"] = "test"

    def __post_init__(self) -> None:
        _require(bool(self.ks) and min(self.ks) >= 1, "evaluate.ks", "one or more lengths of at least 1")


@dataclass(frozen=True)
class ExportConfig:
    """``max_length``: how many of a session's last items the model reads."""

    top_k: int = 100
    int8: bool = False
    opset: int = 17
    max_length: int = 50

    def __post_init__(self) -> None:
        _require(self.top_k >= 1, "export.top_k", "at least 1")
        _require(self.opset >= 14, "export.opset", "at least 14")
        _require(self.max_length >= 1, "export.max_length", "at least 1")


@dataclass(frozen=True)
class ServeConfig:
    host: str = "127.0.0.1"
    port: int = 5001
    workers: int = 1

    def __post_init__(self) -> None:
        _require(0 < self.port < 65536, "serve.port", "from 1 to 65535")
        _require(self.workers >= 1, "serve.workers", "at least 1")


@dataclass(frozen=True)
class Gru4RecConfig:
    """All sections. ``out``: the folder of all output; the default is ``gru4rec`` in the data set's folder."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    serve: ServeConfig = field(default_factory=ServeConfig)
    out: str = ""

    def folders(self, settings: Settings) -> Folders:
        return Folders(Path(self.out) if self.out else settings.data_dir / settings.dataset / "gru4rec")


def read_config(params: Mapping[str, Any], arguments: list[str]) -> Gru4RecConfig:
    """``params``: all sections. ``arguments``: ``section.name=value``, the value in YAML. Raises BadConfig."""
    found = params.get(SECTION) or {}
    values: dict[str, Any] = {"": {}}
    for section, entries in found.items():
        if isinstance(entries, dict):
            values[section] = dict(entries)
        else:
            values[""][section] = entries
    for argument in arguments:
        key, separator, text = argument.partition("=")
        if not separator:
            raise BadConfig(f"{argument!r} is not of the form section.name=value")
        section, _, name = key.rpartition(".")
        try:
            values.setdefault(section, {})[name] = yaml.safe_load(text) if text else ""
        except yaml.YAMLError as error:
            raise BadConfig(f"{key}: {text!r} cannot be read") from error
    return _build(values)


def known_keys() -> tuple[str, ...]:
    keys = ["out"]
    for section, kind in _sections().items():
        keys += [f"{section}.{entry.name}" for entry in dataclasses.fields(kind)]
    return tuple(keys)


def _sections() -> dict[str, Any]:
    return {name: kind for name, kind in _types(Gru4RecConfig).items() if dataclasses.is_dataclass(kind)}


def _build(values: dict[str, Any]) -> Gru4RecConfig:
    known, sections = known_keys(), _sections()
    built: dict[str, Any] = {}
    for section, entries in values.items():
        for name in entries:
            key = f"{section}.{name}" if section else name
            if key not in known:
                raise BadConfig(f"unknown setting {key!r}; the settings are {', '.join(known)}")
        kinds = _types(sections[section]) if section else _types(Gru4RecConfig)
        converted = {
            name: convert(f"{section}.{name}" if section else name, value, kinds[name])
            for name, value in entries.items()
        }
        if section:
            built[section] = sections[section](**converted)
        else:
            built |= converted
    return Gru4RecConfig(**built)


def _types(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _require(holds: bool, key: str, wanted: str) -> None:
    if not holds:
        raise BadConfig(f"{key} must be {wanted}")
