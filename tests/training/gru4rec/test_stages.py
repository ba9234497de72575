"""The stages of training/gru4rec/dvc.yaml: their inputs exist, and the main pipeline does not use them."""

import yaml

from infra.settings import PROJECT_ROOT
from training.gru4rec.__main__ import COMMANDS

STAGES = yaml.safe_load((PROJECT_ROOT / "training/gru4rec/dvc.yaml").read_text())["stages"]
MAIN = yaml.safe_load((PROJECT_ROOT / "dvc.yaml").read_text())["stages"]


def test_each_stage_runs_a_command_on_files_and_settings_that_exist():
    commands = {name: stage["cmd"].split()[-1] for name, stage in STAGES.items()}
    assert commands == {
        "gru4rec_preprocess": "preprocess",
        "gru4rec_train": "train",
        "gru4rec_evaluate": "evaluate",
        "gru4rec_export": "export_mlflow",
    }
    assert set(commands.values()) <= set(COMMANDS)
    params = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())
    made = {next(iter(out)) for stage in STAGES.values() for out in [*stage["outs"], *stage.get("metrics", [])]}
    for stage in STAGES.values():
        for dependency in stage["deps"]:
            known = dependency in made or dependency == "${folder}/log"
            assert known or (PROJECT_ROOT / dependency).exists(), dependency
        (read,) = stage["params"]
        assert all(name.partition(".")[2] in params["gru4rec"] for name in read["effective.yaml"])


def test_the_main_pipeline_depends_neither_on_the_stages_nor_on_their_code():
    assert not STAGES.keys() & MAIN.keys()
    for stage in MAIN.values():
        for dependency in stage["deps"]:
            assert not "training/gru4rec".startswith(dependency), dependency
