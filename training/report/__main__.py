"""Writes ``experiments.html``: data, method, hypotheses, algorithms, tuning, validation, calibration and examples."""

import sys

from training.report.page import main

sys.exit(main())
