"""``python -m training.train``: fit a model, evaluate it, register it, and promote it if it is good enough."""

import sys

from training.ranker.training_run import main

if __name__ == "__main__":
    sys.exit(main())
