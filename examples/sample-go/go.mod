module example.org/sample-temperature

go 1.19
