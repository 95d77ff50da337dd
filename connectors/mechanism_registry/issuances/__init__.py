"""What is judged over a whole feed, and told: issuances, their shares, and the messages."""
