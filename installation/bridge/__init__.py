"""A density geodesic between two pictures, as a file that a plane's first edge is bent by."""
