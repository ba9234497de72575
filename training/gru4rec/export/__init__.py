"""Export of the network to ONNX and MLflow, and scoring with the exported model, for which torch is not needed.

May import all other folders of gru4rec.
"""
