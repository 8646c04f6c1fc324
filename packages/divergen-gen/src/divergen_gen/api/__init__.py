"""Pictures from image APIs."""
