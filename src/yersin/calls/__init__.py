"""WebRTC signalling; media never passes through Python."""
