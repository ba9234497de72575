import sys

from infra.redis_server.server import main

sys.exit(main())
