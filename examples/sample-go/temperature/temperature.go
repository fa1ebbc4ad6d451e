// Package temperature converts between scales.
package temperature

// ToCelsius returns the degrees Celsius of a temperature in degrees Fahrenheit.
func ToCelsius(fahrenheit float64) float64 {
	return (fahrenheit - 32) * 5 / 9
}
