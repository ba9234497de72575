"""What is listed and who is chosen, compared with references."""
