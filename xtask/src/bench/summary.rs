//! Many measurements of one thing, in two numbers.

use std::time::Duration;

/// The least and the middle of some measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// The least: what the program needs when nothing else is in its way.
    pub min: f64,
    /// The middle; of an even number, the mean of the two in the middle.
    pub median: f64,
}

impl Summary {
    /// Sums up; absent without measurements.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let min = *values.first()?;
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { min, median: f64::midpoint(lower, upper) })
    }
}

/// Milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        let of = |values: &[f64]| Summary::of(values.to_vec()).map(|it| (it.min, it.median));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some((3.0, 3.0)));
        assert_eq!(of(&[5.0, 1.0, 9.0]), Some((1.0, 5.0)));
        assert_eq!(of(&[4.0, 1.0, 9.0, 2.0]), Some((1.0, 3.0)));
    }
}
