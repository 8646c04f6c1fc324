"""FiftyOne's own form of a data set: ``samples.json`` and the pictures (``fiftyone.types.FiftyOneDataset``)."""
