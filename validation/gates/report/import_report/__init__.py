"""The sections of the import report: what the log holds, told to somebody who sees it for the first time.

One module per group of sections. Each takes the measures of :mod:`validation.gates.facts`.
"""
