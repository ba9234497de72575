"""Run by every Python process that the tests start, before anything else: it halves the time until Feast is imported.

Left out are the type checks that typeguard compiles into Feast's classes, in each process anew, and the collector's
searches through what is imported and never dropped. The process that the tests run in has both.
"""

import gc
from contextlib import suppress

gc.set_threshold(100_000)
with suppress(ImportError):  # docker-compose may be a Python program with packages of its own
    import typeguard

    typeguard.typechecked = lambda target: target
