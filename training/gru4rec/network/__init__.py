"""The network in torch, its losses, minibatches and optimiser, and the reader of its checkpoints. Imports sessions."""
