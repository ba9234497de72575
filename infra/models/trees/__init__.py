"""LightGBM's trees as tables for one compiled kernel; docs/compiled-trees.md explains how it works.

:func:`compiled_trees.compiled` is the one function that other code calls to score. Beside it, training calls
:func:`score_parity.sample`, and a model's file is checked by :func:`forest.read_forest`. This folder imports
``infra.models.ranker``, numpy and, once a model is loaded, llvmlite. What reads, checks or evaluates trees may enter.
"""
