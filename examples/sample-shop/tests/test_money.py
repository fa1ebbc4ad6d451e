import unittest

from shop import money


class ParseAndShow(unittest.TestCase):
    def test_prices_survive_both_ways(self):
        for text, cents in [("0.00", 0), ("7.00", 700), ("12.30", 1230)]:
            self.assertEqual(money.parse(text), cents)
            self.assertEqual(money.show(cents), text)

    def test_what_is_no_price_is_refused(self):
        for text in ["", "x", "1.5", "1.234", "-3.00", "1.x0"]:
            with self.assertRaises(ValueError):
                money.parse(text)
