"""Cases: the list, the story of one, both books along its serials, the entry that would mend it."""
