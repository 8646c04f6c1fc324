"""New light for pasted instances, by a model that has seen how light falls."""
