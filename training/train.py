"""``python -m training.train``: fit, evaluate, register, and promote if the model has earned it."""

import sys

from training.ranker.training_run import main

if __name__ == "__main__":
    sys.exit(main())
