"""Slates made of events, for sources without lists that were shown: next targets against candidates known before.

The adapters stokman and files share them. They bring two views::

    session_acts   person, opened_at, session_id, t, number (in its session, from 1), action, item_id
    products       item_id, category_id, shop_id

``opened_at`` is the time of the session's first act; with ``person`` it identifies the session.
"""
