"""What a customer is about to buy."""


class Cart:
    """Products of a catalogue with their quantities."""

    def __init__(self, catalogue):
        self._catalogue = catalogue
        self._quantities = {}

    def add(self, name, quantity=1):
        """Put a product into the cart; raise KeyError if it is not offered."""
        self._catalogue.price(name)
        if quantity < 1:
            raise ValueError("the quantity must be at least 1")
        self._quantities[name] = self._quantities.get(name, 0) + quantity

    def total(self):
        """Return the price of everything in the cart, in cents."""
        return sum(
            self._catalogue.price(name) * quantity
            for name, quantity in self._quantities.items()
        )
