"""Pictures from workflows of ComfyUI."""
