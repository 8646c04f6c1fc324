"""A training step in pieces: the engine that computes, the optimiser, several processes; knows no settings file."""
