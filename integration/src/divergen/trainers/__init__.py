"""Trainers: what turns a data set and pasted instances into detections; `protocol` says what one must do."""
