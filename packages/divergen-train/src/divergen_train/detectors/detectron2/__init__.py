"""Detectors of detectron2 behind the trainer's face. Importing the modules inside needs detectron2."""
