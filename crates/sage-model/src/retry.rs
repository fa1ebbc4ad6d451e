//! When a failed try is followed by another of the same model, and after how long. Pure: randomness comes
//! in as a number, waiting is the router's.

use std::time::Duration;

use crate::{Failure, Trouble};

/// Tries of one model, the first included.
pub const MAX_TRIES: u32 = 3;
/// Tries of one model at an endpoint that refuses connections.
pub const MAX_TRIES_REFUSED: u32 = 2;
/// The pause before the second try, at most; it doubles with each further one.
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause of our own choice.
pub const MAX_PAUSE: Duration = Duration::from_secs(8);
/// The pause before the one retry of a refused connection.
pub const REFUSED_PAUSE: Duration = Duration::from_millis(200);
/// The longest wait that a provider may ask for with `Retry-After`; beyond it the model is given up.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How a model is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRules {
    /// Tries of one model, the first included.
    pub max_tries: u32,
    /// The pause before the second try, at most.
    pub first_pause: Duration,
    /// The longest pause of our own choice.
    pub max_pause: Duration,
    /// The pause before the one retry of a refused connection.
    pub refused_pause: Duration,
    /// The longest wait that a provider may ask for.
    pub max_retry_after: Duration,
}

impl RetryRules {
    /// The documented defaults.
    pub const DEFAULT: Self = Self {
        max_tries: MAX_TRIES,
        first_pause: FIRST_PAUSE,
        max_pause: MAX_PAUSE,
        refused_pause: REFUSED_PAUSE,
        max_retry_after: MAX_RETRY_AFTER,
    };

    /// How long to wait before try number `n_tries + 1`, or `None` to give the model up.
    ///
    /// `chance` in [0, 1) spreads the pause over its whole range ("full jitter"), so that many clients
    /// which failed together do not come back together. A wish of the provider is kept exactly.
    #[must_use]
    pub fn pause(&self, failure: &Failure, n_tries: u32, chance: f64) -> Option<Duration> {
        let max_tries = match failure.trouble {
            Trouble::Refused => self.max_tries.min(MAX_TRIES_REFUSED),
            _ => self.max_tries,
        };
        if !failure.trouble.is_retryable() || n_tries >= max_tries {
            return None;
        }
        if let Some(wish) = failure.retry_after {
            return (wish <= self.max_retry_after).then_some(wish);
        }
        if failure.trouble == Trouble::Refused {
            return Some(self.refused_pause);
        }
        let doublings = n_tries.saturating_sub(1).min(16);
        let most = self.first_pause.saturating_mul(1 << doublings).min(self.max_pause);
        Some(most.mul_f64(chance.clamp(0.0, 1.0)))
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date compared with `now_ms` (since the Unix epoch).
/// A date in the past is no wait; what cannot be read is no wish.
#[must_use]
pub fn retry_after(value: &str, now_ms: u64) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then_ms = http_date_ms(value)?;
    Some(Duration::from_millis(then_ms.saturating_sub(now_ms)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` as milliseconds since the Unix epoch (RFC 9110, IMF-fixdate).
pub(crate) fn http_date_ms(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts.as_slice() else { return None };
    let month = u64::try_from(MONTHS.iter().position(|name| name == month)?).ok()? + 1;
    let day: u64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let year: u64 = year.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let clock: Vec<u64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock.as_slice() else { return None };
    if *hour > 23 || *minute > 59 || *second > 60 {
        return None;
    }
    // Days since the epoch with the year beginning in March, so that leap days come last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;
    const EPOCH_DAYS: u64 = 719_468;
    let days = days.checked_sub(EPOCH_DAYS)?;
    Some((days * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: RetryRules = RetryRules::DEFAULT;

    #[test]
    fn pauses_double_and_are_spread_and_end() {
        let failure = Failure::new(Trouble::Overloaded, "503");
        let pauses: Vec<_> = (1..=3).map(|n| RULES.pause(&failure, n, 0.999_999)).collect();
        assert!(pauses[0].unwrap() > Duration::from_millis(499));
        assert!(pauses[1].unwrap() > Duration::from_millis(999));
        assert_eq!(pauses[2], None);
        assert_eq!(RULES.pause(&failure, 1, 0.0), Some(Duration::ZERO));
        let patient = RetryRules { max_tries: 100, ..RULES };
        assert!(patient.pause(&failure, 99, 1.0).unwrap() <= MAX_PAUSE);
    }

    #[test]
    fn a_refused_connection_is_tried_once_more_and_a_wrong_key_never() {
        let refused = Failure::new(Trouble::Refused, "");
        assert_eq!(RULES.pause(&refused, 1, 0.5), Some(REFUSED_PAUSE));
        assert_eq!(RULES.pause(&refused, 2, 0.5), None);
        for trouble in [
            Trouble::Unauthorised,
            Trouble::Rejected,
            Trouble::ModelMissing,
            Trouble::NoFirstToken,
            Trouble::Silent,
            Trouble::TooBig,
        ] {
            assert_eq!(RULES.pause(&Failure::new(trouble, ""), 1, 0.5), None, "{trouble:?}");
        }
    }

    #[test]
    fn a_wish_of_the_provider_is_kept_unless_it_is_too_long() {
        let wish = |seconds| Failure {
            retry_after: Some(Duration::from_secs(seconds)),
            ..Failure::new(Trouble::Overloaded, "429")
        };
        assert_eq!(RULES.pause(&wish(7), 1, 0.0), Some(Duration::from_secs(7)));
        assert_eq!(RULES.pause(&wish(61), 1, 0.0), None);
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        assert_eq!(retry_after(" 3 ", 0), Some(Duration::from_secs(3)));
        assert_eq!(retry_after("0.5", 0), Some(Duration::from_millis(500)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, 784_111_777_000 - 2_000), Some(Duration::from_secs(2)));
        assert_eq!(retry_after(date, 784_111_777_000 + 2_000), Some(Duration::ZERO));
        assert_eq!(http_date_ms("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800_000));
        assert_eq!(http_date_ms("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        for bad in ["", "-1", "soon", "nan", "1e400", "Sun, 06 Nov 1994 08:49:37", "x, 1 2 3 4 GMT"]
        {
            assert_eq!(retry_after(bad, 0), None, "{bad}");
        }
    }
}
