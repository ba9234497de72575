"""The container files without a container engine: the tests do the copies, installs and commands themselves."""

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.settings import PROJECT_ROOT
from tests.shop import Shop

COMPOSE = PROJECT_ROOT / "docker-compose.yml"
SCORER = PROJECT_ROOT / "infra" / "scorer" / "Dockerfile"
DOCKERFILES = (SCORER, PROJECT_ROOT / "infra" / "pipeline" / "Dockerfile")


def instructions(dockerfile: Path, name: str) -> list[str]:
    text = re.sub(r"\\\n\s*", " ", dockerfile.read_text())
    return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith(f"{name} ")]


def copied(dockerfile: Path) -> list[tuple[list[str], str]]:
    """(sources, target) of every COPY from the build context."""
    found = []
    for line in instructions(dockerfile, "COPY"):
        words = [word for word in shlex.split(line) if not word.startswith("--chown")]
        if not words[0].startswith("--from"):
            found.append((words[:-1], words[-1]))
    return found


def command(dockerfile: Path) -> list[str]:
    return json.loads(instructions(dockerfile, "CMD")[-1])


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_every_copied_path_exists(dockerfile):
    sources = [source for sources, _ in copied(dockerfile) for source in sources]
    assert sources
    for source in sources:
        assert (PROJECT_ROOT / source).exists(), source


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_the_image_does_not_run_as_root_and_does_not_contain_its_build_stage(dockerfile):
    assert instructions(dockerfile, "USER")[-1] != "root"
    assert len(instructions(dockerfile, "FROM")) == 2


def test_every_compose_service_has_a_dockerfile_that_exists_or_a_public_image():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert set(services) == {"redis", "events", "mlflow", "pipeline", "consumer", "scorer"}
    built = {s["image"] for s in services.values() if "build" in s}
    for service in services.values():
        if "build" in service:
            assert (PROJECT_ROOT / service["build"]["dockerfile"]).exists()
        else:
            assert service["image"] in built | {"redis:7.4-alpine"}
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_the_commands_of_the_images_exist():
    assert (PROJECT_ROOT / command(DOCKERFILES[1])[0]).stat().st_mode & 0o111
    assert command(SCORER) == ["python", "-m", "serving"]


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_docker_compose_accepts_the_file():
    done = subprocess.run(
        ["docker-compose", "--file", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to start it as another user"
)
def test_the_scorer_runs_as_an_unprivileged_user_with_only_the_files_of_its_image(journey: Shop, tmp_path_factory):
    """A new environment with the scorer's requirements, only the copied files, and the command of the image."""
    image = Path("/tmp") / f"scorer-image-{os.getpid()}"
    shutil.rmtree(image, ignore_errors=True)
    app, venv = image / "app", image / "venv"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
        requirements = ["--constraint", "constraints.txt", "--requirement", "infra/scorer/requirements.txt"]
        subprocess.run([*pip, *requirements], cwd=PROJECT_ROOT, check=True, capture_output=True)
        for package in ("duckdb", "dvc", "great-expectations", "mlflow", "matplotlib"):
            shown = subprocess.run([*pip[:1], "show", package], capture_output=True, check=False)
            assert shown.returncode != 0, f"{package} is in the scorer image"
        for sources, target in copied(SCORER):
            if target != "./" or "constraints.txt" not in sources:
                for source in sources:
                    _copy(PROJECT_ROOT / source, app / target)
        state = image / "state"
        shutil.copytree(journey.settings.state_dir / "feast", state / "feast")
        shutil.copytree(journey.settings.state_dir / "clock", state / "clock")
        with (
            journey.mlflow_server() as tracking_uri,
            journey.scorer_process(
                [*as_nobody(venv / "bin" / "python"), *command(SCORER)[1:]],
                cwd=app,
                HOME=str(app),
                RERANK_STATE_DIR=str(state),
                RERANK_DATA_DIR=str(image / "no-data"),
                RERANK_REDIS_URL=journey.redis_url,
                RERANK_MLFLOW_TRACKING_URI=tracking_uri,
            ) as client,
        ):
            slate = journey.last_slates(1)[0]
            answer = client.post("/score", json=journey.request_of(slate)).raise_for_status().json()
            assert not answer["degraded"]
            assert not answer["missing"]["user"]
            assert len(answer["items"]) == len(slate)
    finally:
        shutil.rmtree(image, ignore_errors=True)


def as_nobody(python: Path) -> list[str]:
    """Run ``python`` as an unprivileged user, who may read all files if the interpreter is in root's home."""
    nobody = pwd.getpwnam("nobody")
    switch = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    version = [str(python), "-c", "import sys; print(sys.version)"]
    plain = subprocess.run([*switch, *version], capture_output=True, text=True, check=False)
    reachable = plain.returncode == 0 and plain.stdout.strip() == sys.version
    return [*switch, *([] if reachable else reading), str(python)]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
