"""Great Expectations with its analytics switched off. The switch is read at import, so it is set before."""

from __future__ import annotations

import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.data_context.types.base import ProgressBarsConfig

__all__ = ["ProgressBarsConfig", "gx", "gxe"]
