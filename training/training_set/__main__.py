import sys

from training.training_set.build import main

sys.exit(main())
