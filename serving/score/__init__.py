"""From a request to a ranked list: parser, features, matrix, scores, order, explanation, and the model in service.

It may import features and the rooms below it; HTTP belongs to api.
"""
