"""Masks that other tools or people made become spinemri's; the scheme of their numbers is named, never guessed."""
