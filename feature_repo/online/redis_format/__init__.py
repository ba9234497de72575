"""The bytes that Feast stores in Redis: Arrow columns to bytes and back. Pure functions, without a connection."""
