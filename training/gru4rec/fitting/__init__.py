"""Fitting the network with Lightning: training, checkpoints, resuming. Imports evaluation, network and sessions."""
