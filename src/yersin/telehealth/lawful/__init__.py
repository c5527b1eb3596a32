"""The rules of a consultation as laws of its resources: they hold for pages, programs and transactions alike."""
