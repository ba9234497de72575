"""Commands that write sample source files, one module per adapter. Only tests import them."""
