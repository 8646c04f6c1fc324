"""Text-to-image models of diffusers as generators; nothing here is imported before a model is needed."""
