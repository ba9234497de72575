"""The command, with the parameters of the data set in use."""

import yaml

from tests.small_log import at
from tests.training.buyers.small_shop import DAYS, PARAMS
from training.buyers.training_run import main


def test_a_data_set_has_parameters_of_its_own(shop, tmp_path, monkeypatch, capsys):
    own = {"buyers": {"windows": {"stopping": 90}}}  # more than the log has
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({"recommend": {"buyers": PARAMS}}))
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / f"{shop.dataset}.yaml").write_text(yaml.safe_dump({"recommend": own}))
    for name in ("data_dir", "state_dir", "dataset", "redis_url"):
        monkeypatch.setenv(f"RERANK_{name.upper()}", str(getattr(shop, name)))
    monkeypatch.setenv("RERANK_PARAMS_FILE", str(path))
    assert main(["--at", at(DAYS).isoformat()]) == 2
    assert "90 to stop" in capsys.readouterr().err
