"""Looking at what a detector learned: energy, the gap between training and validation, maps of embeddings."""
