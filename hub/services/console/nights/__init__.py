"""Tonight: how each registry stands, what the exchange does now, what asks for attention."""
