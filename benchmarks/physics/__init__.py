"""Small simulators with known truths: spins on a lattice, particles on a line. For table1.py."""
