import sys

from feature_repo.datasets.samples.stokman.sample import main

sys.exit(main())
