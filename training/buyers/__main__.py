import sys

from training.buyers.training_run import main

sys.exit(main())
