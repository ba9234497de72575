"""Next-item metrics, and the command that evaluates the network and the baselines. Imports baselines and network."""
