"""COCO and LVIS files: one JSON that names pictures, objects and categories."""
