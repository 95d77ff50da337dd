"""How a session ends: findings, cases, frozen serials; acts on cases, and cases in plain words."""
