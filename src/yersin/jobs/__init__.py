"""Queue, schedules and delivery."""
