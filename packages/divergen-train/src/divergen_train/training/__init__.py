"""The training loop and all that it needs: batches, steps, optimiser, checkpoints, inference."""
