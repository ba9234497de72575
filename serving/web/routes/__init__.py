"""The pages and forms of the marketplace, by what they are about."""
