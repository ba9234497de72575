"""The stage of training/recommend/dvc.yaml: its inputs exist, and the main pipeline makes what it reads."""

import importlib.util

import yaml

from infra.settings import PROJECT_ROOT

STAGES = yaml.safe_load((PROJECT_ROOT / "training/recommend/dvc.yaml").read_text())["stages"]
MAIN = yaml.safe_load((PROJECT_ROOT / "dvc.yaml").read_text())["stages"]


def test_the_batch_runs_commands_that_exist_on_what_the_main_pipeline_makes():
    made = {next(iter(out)) for stage in MAIN.values() for out in stage["outs"]}
    made |= {f"${{folder}}/live_checked/{name}.parquet" for name in ("events", "item_changes")}
    (stage,) = STAGES.values()
    for command in stage["cmd"]:
        module = command.split("python -m ")[1].split()[0]
        assert importlib.util.find_spec(f"{module}.__main__"), module
    for dependency in stage["deps"]:
        assert dependency in made or (PROJECT_ROOT / dependency).exists(), dependency


def test_the_main_pipeline_does_not_run_the_batch():
    assert not STAGES.keys() & MAIN.keys()
