"""Scores: what changes when. Read and checked against the controls, played into films and shows, imported."""
