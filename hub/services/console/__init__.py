"""What the console's pages show and do: one desk for each family of pages, without any HTML."""
