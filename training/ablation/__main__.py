"""Fits a model without each feature family and each candidate source, and compares it with the full model."""

import sys

from training.ablation.command import main

sys.exit(main())
