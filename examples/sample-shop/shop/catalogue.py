"""What the shop sells."""

from shop import money


class Catalogue:
    """Prices in cents by name of the product."""

    def __init__(self):
        self._prices = {}

    def add(self, name, price):
        """Offer a product at a price such as '2.50'; a known product gets the new price."""
        self._prices[name] = money.parse(price)

    def price(self, name):
        """Return the price in cents; raise KeyError for a product that is not offered."""
        return self._prices[name]
