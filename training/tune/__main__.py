import sys

from training.tune.command import main

sys.exit(main())
