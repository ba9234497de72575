"""Reviews every input of the ranker and names those that cost and give nothing."""

import sys

from training.features.command import main

sys.exit(main())
