import sys

from training.stage_two.training_run import main

sys.exit(main())
