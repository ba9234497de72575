"""The colours of plots and pages, and how they follow the reader's light or dark mode."""

from __future__ import annotations

INK, MUTED, ACCENT, GRID = "#24292f", "#8a94a0", "#0b62a4", "#e3e6ea"
DARK = {INK: "#e6edf3", MUTED: "#8b949e", ACCENT: "#58a6ff", GRID: "#30363d"}
NAMES = {INK: "--ink", MUTED: "--muted", ACCENT: "--accent", GRID: "--grid"}


def colours(dark: bool) -> str:
    return ";".join(f"{name}:{DARK[colour] if dark else colour}" for colour, name in NAMES.items())
