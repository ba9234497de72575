"""Models as serving loads them: rankers, the model contract, the registry, and the graph of the next-item model.

Training fits models elsewhere. Imports only infra.
"""
