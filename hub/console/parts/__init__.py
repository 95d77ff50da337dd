"""What pages of one family share: its words, its drawings, its forms."""
