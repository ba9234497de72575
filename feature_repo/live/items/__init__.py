"""Accepted changes of items (``POST /items``): on their way into the feature store and into the log.

May import the rest of ``live``, what ``live`` may import, and the data set's declaration.

What a change is merged with. An accepted change sets some attributes of an item; the others stay as in the *newest
known row*: the newer of the item's row in the feature store and the row of its last accepted change
(:mod:`feature_repo.live.items.acceptance`). The row after the change is in the log, so what was served is not
computed a second time:

- 1 µs after the acceptance, the view item_attributes has the row as it was served;
- from the next UTC midnight on, it has the newest version of the log's items, on which every accepted change since has
  set what it names, in the order of acceptance (:mod:`feature_repo.live.items.versions`).

The two differ only if the feature store was behind the log when the change was accepted.
"""
