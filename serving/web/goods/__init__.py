"""What the shop sells and who bought it: items, their pictures and names, users of the log. No HTTP enters."""
