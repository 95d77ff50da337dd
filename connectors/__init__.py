"""What a registry runs on its own side to talk to the hub."""
