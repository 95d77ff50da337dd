"""Units, accounts, authorizations, actions and the ledger; imports nothing of ours."""
