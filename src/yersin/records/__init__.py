"""The lifelong chart: banner, summary, timeline, and the citizen's own door to it."""
