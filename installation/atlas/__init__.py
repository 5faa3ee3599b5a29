"""Surveys, zooms and dives as the commands make them; the atlas as the deck shows it."""
