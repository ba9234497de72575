import sys

from training.recommend.batch import main

sys.exit(main())
