"""Who is compared when, what is asked and answered, and the leader's loop that goes on with it."""
