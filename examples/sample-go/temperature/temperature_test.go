package temperature

import "testing"

func TestWaterFreezesAndBoils(t *testing.T) {
	for _, same := range []struct{ fahrenheit, celsius float64 }{{32, 0}, {212, 100}, {-40, -40}} {
		if got := ToCelsius(same.fahrenheit); got != same.celsius {
			t.Errorf("%v F is %v C, not %v C", same.fahrenheit, same.celsius, got)
		}
	}
}
