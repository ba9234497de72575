"""LightGBM's trees as tables for one compiled kernel; docs/compiled-trees.md explains how it works.

Other code calls three functions of this folder: ``compiled_trees.compiled`` to score, ``score_parity.sample`` to
register test rows, and ``forest.read_forest`` to check a model's file. The modules here import
``infra.models.ranker``, except ``forest``, which the ranker imports. What reads, checks or evaluates trees may enter.
"""
