"""Films: where frames go when they are kept, and what is drawn from them afterwards."""
