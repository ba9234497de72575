"""Who is visiting: the signed cookie, accounts with passwords, and the brake on guessing them."""
