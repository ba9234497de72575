"""The buyer model: which users order within the next days. Of training it imports evaluation and training_set."""
