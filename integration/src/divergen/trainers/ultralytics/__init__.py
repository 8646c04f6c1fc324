"""YOLO of Ultralytics as a trainer, pasting anew at each visit of an image through its own dataset class."""
