import unittest

from shop.cart import Cart
from shop.catalogue import Catalogue


def offered():
    catalogue = Catalogue()
    catalogue.add("tea", "2.50")
    catalogue.add("cake", "3.99")
    return catalogue


class Total(unittest.TestCase):
    def test_an_empty_cart_costs_nothing(self):
        self.assertEqual(Cart(offered()).total(), 0)

    def test_quantities_count(self):
        cart = Cart(offered())
        cart.add("tea", 2)
        cart.add("cake")
        cart.add("tea")
        self.assertEqual(cart.total(), 3 * 250 + 399)


class Add(unittest.TestCase):
    def test_only_offered_products_and_whole_quantities_go_in(self):
        cart = Cart(offered())
        with self.assertRaises(KeyError):
            cart.add("coffee")
        with self.assertRaises(ValueError):
            cart.add("tea", 0)
        self.assertEqual(cart.total(), 0)
