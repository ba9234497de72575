"""What single columns mean: times, actions, labels, prices, users and sessions, and columns of the user's own."""
