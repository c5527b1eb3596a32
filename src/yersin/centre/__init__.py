"""The national centre: what the whole country does, counted through views, each number with its definition."""
