// Live updates: see /live.
