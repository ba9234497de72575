"""The causes of differences, and the evidence for them. Imports no other module of validation.skew."""
