"""The stage: the process that owns the wall. It imports nothing of the model, and outlives the renderer."""
