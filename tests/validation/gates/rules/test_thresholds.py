"""The thresholds stand in the docs as they are."""

import re
from datetime import timedelta

from infra.settings import PROJECT_ROOT
from validation.gates.rules import thresholds

ROW = re.compile(r"^\| [^|]+ \| ([\d.,]+) \| `([A-Z_]+)` \|$", re.MULTILINE)


def value(name: str) -> float:
    found = getattr(thresholds, name)
    return found / timedelta(minutes=1) if isinstance(found, timedelta) else float(found)


def test_the_docs_say_each_threshold_with_its_value():
    page = (PROJECT_ROOT / "docs" / "data-quality.md").read_text()
    said = {name: float(number.replace(",", "")) for number, name in ROW.findall(page)}
    names = [name for name in vars(thresholds) if name.isupper()]
    assert said == {name: value(name) for name in names}
    assert len(names) >= 14
