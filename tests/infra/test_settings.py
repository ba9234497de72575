import re

import pytest
from pydantic import ValidationError

from infra.settings import PROJECT_ROOT, Settings


def test_the_example_file_lists_every_setting():
    listed = set(re.findall(r"RERANK_(\w+)=", (PROJECT_ROOT / ".env.example").read_text()))
    assert listed == {name.upper() for name in Settings.model_fields}


def test_a_setting_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RERANK_PORT", "8123")
    assert Settings().port == 8123


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("CLOCK", "lunar"), ("DATASET", "no-dashes")])
def test_a_bad_setting_is_refused_and_named(monkeypatch, name, value):
    monkeypatch.setenv(f"RERANK_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_do_not_change():
    with pytest.raises(ValidationError):
        Settings().port = 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_the_shop_may_be_on_where_only_this_machine_reaches_it(host):
    assert Settings(_env_file=None, shop=True, host=host).shop


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "shop.example", "127.0.0.1.example"])
def test_the_shop_is_refused_where_others_reach_it(host):
    assert not Settings(_env_file=None, host=host).shop
    with pytest.raises(ValidationError, match=f"not {host}"):
        Settings(_env_file=None, shop=True, host=host)
