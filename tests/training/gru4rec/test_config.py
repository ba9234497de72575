"""Settings: the parameters, overridden by arguments. Unknown keys and bad values are named."""

import pytest

from infra.params import read_file
from infra.settings import PROJECT_ROOT, Settings
from training.gru4rec.__main__ import main
from training.gru4rec.config import Gru4RecConfig, known_keys, read_config
from training.gru4rec.errors import BadConfig

PARAMS = read_file(PROJECT_ROOT / "params.yaml")


@pytest.fixture
def params(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("dataset: x\ngru4rec:\n  train: {epochs: 3, learning_rate: 1e-3}\n  out: here\n")
    return read_file(path)


def test_arguments_override_the_file_and_the_file_overrides_the_defaults(params):
    config = read_config(params, ["train.epochs=5", "data.actions=view,order", "evaluate.ks=[2, 4]"])
    assert (config.train.epochs, config.train.learning_rate, config.out) == (5, 0.001, "here")
    assert config.data.actions == ("view", "order")
    assert config.evaluate.ks == (2, 4)
    assert config.train.batch_size == Gru4RecConfig().train.batch_size


def test_the_params_file_of_the_project_has_only_known_names():
    assert read_config(PARAMS, []).train.loss == "bpr_max"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("train.epoch=3", "unknown setting 'train.epoch'"),
        ("tain.epochs=3", "unknown setting 'tain.epochs'"),
        ("epochs=3", "unknown setting 'epochs'"),
        ("train.epochs", "section.name=value"),
        ("train.epochs=many", "train.epochs: 'many' is not a whole number"),
        ("train.epochs=2.5", "train.epochs: 2.5 is not a whole number"),
        ("train.epochs=true", "train.epochs: True is not a whole number"),
        ("train.epochs=0", "train.epochs must be at least 1"),
        ("train.loss=hinge", "train.loss: 'hinge' is not one of cross_entropy, bpr_max"),
        ("train.learning_rate=.nan", "train.learning_rate: nan is not a finite number"),
        ("train.learning_rate=.inf", "train.learning_rate: inf is not a finite number"),
        ("train.sample_alpha=1.5", "train.sample_alpha must be from 0"),
        ("train.resume=perhaps", "train.resume: 'perhaps' is not true or false"),
        ("model.dropout_hidden=1", "model.dropout_hidden must be from 0 to below 1"),
        ("data.min_session=1", "data.min_session must be at least 2"),
        ("data.test_days=-1", "data.test_days must be more than 0"),
        ("data.validation=a.txt", "data.validation must be given together with data.test"),
        ("evaluate.ks=0", "evaluate.ks must be"),
        ("train.epochs=[1", "train.epochs: '[1' cannot be read"),
    ],
)
def test_a_bad_argument_is_refused_and_named(params, argument, message):
    with pytest.raises(BadConfig) as refused:
        read_config(params, [argument])
    assert message in str(refused.value)
    if message.startswith("unknown"):
        assert "train.epochs" in str(refused.value)  # the message lists the known keys


def test_the_output_folder_is_that_of_the_data_set_or_of_the_argument(tmp_path):
    assert {"out", "data.source", "train.logq", "serve.port"} <= set(known_keys())
    settings = Settings(dataset="shop", data_dir=tmp_path)
    assert read_config(PARAMS, []).folders(settings).root == tmp_path / "shop" / "gru4rec"
    assert read_config(PARAMS, ["out=elsewhere"]).folders(settings).processed.parts[:1] == ("elsewhere",)


@pytest.mark.parametrize("arguments", [["wash"], ["train", "train.epoch=1"], ["preprocess", "data.source=/nowhere"]])
def test_a_refused_command_ends_with_status_2_and_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("training.gru4rec: ")
