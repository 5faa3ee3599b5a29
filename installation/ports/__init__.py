"""Doors for people and their gear: OSC, MIDI, the deck. They know the backstage and nothing behind it."""
