"""What each message type does to the ledger, the mailboxes and the records."""
