package temperature

import "testing"

func TestWaterFreezesAndBoils(t *testing.T) {
	for fahrenheit, celsius := range map[float64]float64{32: 0, 212: 100, -40: -40} {
		if got := ToCelsius(fahrenheit); got != celsius {
			t.Errorf("%v F is %v C, not %v C", fahrenheit, celsius, got)
		}
	}
}
