"""The buyer model: who will order in the next days."""
