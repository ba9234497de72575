"""What one column looks like by its values: type, nulls, distinct values, range, times, lists."""
