"""The show: its processes, what they say to each other, and who restarts them."""
