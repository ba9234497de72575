"""Commands that write sample source files, one module or folder per adapter. Only tests import them."""
