"""A cart, a catalogue, and money in whole cents."""
