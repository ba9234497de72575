"""Measuring a function in a process of its own, so that its peak of memory is its own too."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Measured:
    """``seconds`` of each repeat after the warm-up; ``base_mb`` and ``peak_mb`` are resident memory of the process
    before the first call and at its highest; ``result`` is the digest of what the last call returned."""

    seconds: tuple[float, ...]
    base_mb: float
    peak_mb: float
    result: Any

    @property
    def median_s(self) -> float:
        return median(self.seconds)


def in_child(
    prepare: Callable[..., Callable[[], Any]],
    *arguments: Any,
    warm_ups: int,
    repeats: int,
    digest: Callable[[Any], Any],
) -> Measured:
    """Measures what ``prepare(*arguments)`` returns. Both functions are their modules', found there by name."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, prepare, arguments, warm_ups, repeats, digest).result()


def _measure(
    prepare: Callable[..., Callable[[], Any]],
    arguments: tuple[Any, ...],
    warm_ups: int,
    repeats: int,
    digest: Callable[[Any], Any],
) -> Measured:
    call = prepare(*arguments)
    base = _resident("VmRSS")
    for _ in range(warm_ups):
        call()
    seconds, result = [], None
    for _ in range(repeats):
        result = None  # the last one's memory is given back first
        started = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - started)
    peak = _resident("VmHWM")
    return Measured(tuple(seconds), base, peak, digest(result))


def _resident(field: str) -> float:
    """Megabytes, from the kernel's account of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/self/status has no {field}")
