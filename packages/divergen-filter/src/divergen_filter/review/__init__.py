"""A person's verdicts: a page to give them on, a log that keeps them, columns that rules and reports read.

`verdicts` is the log, `merging` brings it into the table, `rows`, `pictures`, `access`, `app` and `serve` are the page.
"""
