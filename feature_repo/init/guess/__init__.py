"""What the files and their columns mean. Each decision has its reason; what values cannot decide is a question."""
