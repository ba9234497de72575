"""Commands that write sample source files, one module per adapter. Only tests import them.

The command of ``stokman/`` is :mod:`feature_repo.datasets.stokman_sample`.
"""
