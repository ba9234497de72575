"""The section on the buyers: who orders within the next days, and whether the probabilities hold."""

from __future__ import annotations

from infra.report_page.page import table
from infra.report_page.plot import image
from training.evaluation import plots
from training.report.study import Section, Study, block, note, paragraph, read_object

COMMAND = "python -m training.buyers"
FILE = "buyers.json"


def section(study: Study) -> Section:
    return Section("buyers", "Calibration of the buyers", block(lambda: _body(study), COMMAND))


def _body(study: Study) -> str:
    found = read_object(study.training_file(FILE))
    rows, calibration = found["rows"], found["calibration"]
    metrics = list(next(iter(rows.values())))
    share = found["buyers"] / found["users"] if found["users"] else 0.0
    windows = ", ".join(start[:10] for start in found["starts"])
    text = [{name: str(value) for name, value in row.items()} for row in calibration]
    largest = max((abs(row["predicted"] - row["observed"]) for row in calibration), default=0.0)
    return (
        paragraph(
            f"{found['users']:,} users in the windows from {windows}, of whom {share:.1%} ordered, each window "
            "judged by a model that knew nothing of it."
        )
        + table(
            ["users sorted by", *metrics],
            [[name, *(f"{row[metric]:.4f}" for metric in metrics)] for name, row in rows.items()],
        )
        + image(
            plots.calibration(text, "predicted probability of an order", "observed share who ordered"),
            "observed share of buyers by predicted probability",
        )
        + table(
            ["users", "predicted", "observed"],
            [[f"{row['users']:,}", f"{row['predicted']:.3f}", f"{row['observed']:.3f}"] for row in calibration],
        )
        + note(f"Ten groups of about equal size. The largest distance from the diagonal is {largest:.3f}.")
    )
