"""Reading the summary of a gate."""

from infra.settings import Settings


def report(settings: Settings, gate: str) -> str:
    return (settings.reports_dir / "validation" / gate / "summary.md").read_text()


def failed_rows(text: str) -> list[list[str]]:
    """The cells of the summary's failed lines."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return [line for line in lines if line[4] == "FAIL"]
