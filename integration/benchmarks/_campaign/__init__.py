"""The parts of `campaign.py`: commands to harm, what harms them, and how the outcome is judged."""
