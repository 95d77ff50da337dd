"""What a run says at its end, to people and to programs."""
