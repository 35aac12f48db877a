"""Files in, raw cells with their positions out; nothing is interpreted here."""
