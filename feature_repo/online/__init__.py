"""The online store: Feast's Redis layout, written in bulk, the newest row of a key wins.

encoding, entity_keys, instants   Arrow columns -> the bytes that Feast stores
rows                              rows of one view, encoded
newest_wins, resp, writer         the script that writes them, its packing, and who sends it
store, engine                     Feast's plugins: online store and batch engine
record                            what was materialized, and when
"""
