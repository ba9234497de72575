"""What happens while the service runs: accepted events, on their way into sessions and into the log."""
