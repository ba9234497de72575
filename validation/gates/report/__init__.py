"""What a gate writes: the outcome of each rule, the summary, and the page that is whole in itself.

A report is made of sections of texts, tables and plots (:mod:`validation.gates.report.content`), which are written as
HTML and as Markdown.
"""
