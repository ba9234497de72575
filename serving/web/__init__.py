"""The marketplace in the browser: pages over the services that also answer the API, in the same process.

It ranks, explains and records through :mod:`serving.score`, :mod:`serving.recommend` and :mod:`serving.events`, so what
a page shows is logged like any other answer. Needs the extra ``browser``. Nothing of it is imported while
Settings.shop is off.
"""
