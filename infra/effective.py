"""``python -m infra.effective``: write effective.yaml, what dvc knows of the settings and the parameters.

dvc.yaml can neither read the environment nor merge files. So all that its stages depend on is written into one file:
the folder of the data set, the adapter with its arguments, its source, the merged parameters, and the definitions of
the features, which may be any modules beside those that feature_repo/.feastignore lists. ``make`` and
infra/pipeline.sh do it before each ``dvc repro``. A ``dvc repro`` without them begins with the stage ``settings``,
which runs this with ``--loaded``.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml

from infra.command import BAD_SETTINGS, command_settings
from infra.durable_file import write_durably
from infra.params import SECTIONS, BadParams, Params, own_file, read_params
from infra.settings import PROJECT_ROOT, Settings

FILE = PROJECT_ROOT / "effective.yaml"
REPO = Path(__file__).resolve().parents[1] / "feature_repo"
NO_SOURCE = "feature_repo/datasets/__main__.py"  # dvc.yaml has to name some file: this one is watched in any case
IN_STAGES = ("folder", "adapter", "source")  # stand in paths and commands, which dvc reads before its first stage runs
HEAD = "# Written by `python -m infra.effective` from params.yaml, params/ and the settings. Do not edit.\n"


def effective(settings: Settings, params: Params) -> dict[str, Any]:
    """Paths inside the project are relative to it. ``params``: of :func:`read_params`. Raises BadParams."""
    log = params.get("log") or {}
    own = own_file(settings.params_file, settings.dataset)
    name = f"params/{own.name}"
    if not log.get("adapter"):
        raise BadParams(
            f"{name}, log.adapter: nothing says how the log of {settings.dataset} is made. "
            f"`make run DATASET={settings.dataset} INPUT=/path/to/files` finds it out"
        )
    source = _source(settings, log.get("input"), name)
    words = [str(log["adapter"]), *(["--input", source] if source else [])]
    return {
        "folder": str(_relative((settings.data_dir / settings.dataset).absolute())),
        "adapter": " ".join(filter(None, [shlex.join(words), str(log.get("arguments") or "")])),
        "source": source or NO_SOURCE,
        **{section: params.get(section) or {} for section in SECTIONS if section != "settings"},
        "log": {**log, **_declaration(own)},
        "definitions": definitions(REPO),
    }


def _source(settings: Settings, given: object, name: str) -> str:
    """The file or folder that is read; empty where the adapter needs none. ``given``: relative to params.yaml."""
    if not given:
        return ""
    path = settings.params_file.absolute().parent / Path(str(given)).expanduser()
    if not path.exists():
        raise BadParams(f"{name}, log.input: {path} does not exist")
    return str(_relative(path))


def definitions(repo: Path) -> dict[str, str]:
    """File -> SHA-256, of the modules that Feast imports."""
    ignored = set((repo / ".feastignore").read_text().splitlines())
    return {file.name: _digest(file) for file in sorted(repo.glob("*.py")) if file.name not in ignored}


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _declaration(own: Path) -> dict[str, str]:
    """SHA-256 of what is declared beside the parameters of the data set, where something is."""
    file = own.with_name(f"{own.stem}.dataset.json")
    return {"declaration": _digest(file)} if file.exists() else {}


def _relative(path: Path) -> Path:
    """A path in the project relative to it, so that dvc.lock holds after the project was moved."""
    return path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path


def write(found: Params) -> bool:
    """Whether folder, adapter or source are other ones than those in the file so far. Raises OSError."""
    text = HEAD + yaml.safe_dump(found, sort_keys=False, allow_unicode=True)
    before = FILE.read_text() if FILE.exists() else ""
    if before == text:
        return False
    write_durably(FILE, text.encode())
    known = yaml.safe_load(before) or {}
    return any(known.get(name) != found[name] for name in IN_STAGES)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.effective", description=__doc__.split("\n")[0])
    parser.add_argument("--loaded", action="store_true", help="dvc has read the file: fail if it was an old one")
    loaded = parser.parse_args(argv).loaded
    settings = command_settings()
    try:
        has_moved = write(effective(settings, read_params(settings)))
    except BadParams as error:
        print(f"settings: {error}", file=sys.stderr)
        return BAD_SETTINGS
    if loaded and has_moved:
        print(
            f"settings: data set, folder or source have changed since {FILE.name} was written. It is new now: "
            "run the same command again",
            file=sys.stderr,
        )
        return BAD_SETTINGS
    return 0


if __name__ == "__main__":
    sys.exit(main())
