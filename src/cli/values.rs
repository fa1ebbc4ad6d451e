//! Values that people type: durations, counts, money, `ROLE=MODEL`.
//!
//! Each parser says what it expected; clap adds which flag it was for.

use std::str::FromStr;
use std::time::Duration;

use sage_core::AgentRole;

/// `--model ROLE=MODEL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleModel {
    /// The role.
    pub role: AgentRole,
    /// The model's name in `models.yaml`, or any model of the role's provider.
    pub model: String,
}

impl FromStr for RoleModel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (role, model) =
            text.split_once('=').ok_or("expected ROLE=MODEL, such as coder=gpt-4o")?;
        let model = model.trim();
        if model.is_empty() {
            return Err("the model's name is missing after '='".to_owned());
        }
        let role =
            role.trim().parse().map_err(|error: sage_core::UnknownRole| error.to_string())?;
        Ok(Self { role, model: model.to_owned() })
    }
}

/// A rule of `--allow`, `--ask` and `--deny`, kept as it was typed.
pub fn rule(text: &str) -> Result<String, String> {
    sage_tool::Rule::of_flag(sage_tool::Say::Ask, text).map(|_| text.to_owned())
}

/// `90`, `90s`, `10m`, `1h30m`, `2d`: at least one second.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?} is not a duration such as 90s, 10m, 1h30m or 2d");
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit: u64 = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(expected()),
        };
        let n: u64 = digits.parse().map_err(|_| expected())?;
        digits.clear();
        seconds = n
            .checked_mul(unit)
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(|| format!("{text:?} is too long"))?;
    }
    if !digits.is_empty() {
        if seconds > 0 {
            return Err(expected());
        }
        seconds = digits.parse().map_err(|_| expected())?;
    }
    if seconds == 0 { Err(expected()) } else { Ok(Duration::from_secs(seconds)) }
}

/// `200000`, `200_000`, `200k`, `1.5m`: at least 1.
pub fn count(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?} is not a number such as 200000, 200k or 1.5m");
    let plain = text.trim().replace('_', "").to_ascii_lowercase();
    let (number, unit) = match plain.strip_suffix('k') {
        Some(number) => (number, 1e3),
        None => match plain.strip_suffix('m') {
            Some(number) => (number, 1e6),
            None => (plain.as_str(), 1.0),
        },
    };
    let n = if unit == 1.0 {
        number.parse::<u64>().map_err(|_| expected())?
    } else {
        let value = decimal(number).ok_or_else(expected)? * unit;
        if value > 1e15 {
            return Err(format!("{text:?} is too large"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let rounded = value.round() as u64;
        rounded
    };
    if n == 0 { Err("must be at least 1".to_owned()) } else { Ok(n) }
}

/// A number of model calls: at least 1, at most what 32 bits hold.
pub fn calls(text: &str) -> Result<u32, String> {
    u32::try_from(count(text)?).map_err(|_| format!("{text:?} is too large"))
}

/// `0.50` or `$0.50`, in US dollars: finite, not negative.
pub fn usd(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_prefix('$').unwrap_or(text.trim());
    decimal(number).ok_or_else(|| format!("{text:?} is not an amount in US dollars such as 0.50"))
}

fn decimal(text: &str) -> Option<f64> {
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_plain.then(|| text.parse().ok()).flatten().filter(|n: &f64| n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_and_without_units() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("2d"), Ok(172_800));
        for bad in ["", "0", "0s", "m", "1x", "1h30", "-5", "99999999999999999999d", "1.5h", "é"] {
            assert!(duration(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn counts_and_amounts_refuse_what_is_no_number() {
        assert_eq!(count("200k"), Ok(200_000));
        assert_eq!(count("1.5m"), Ok(1_500_000));
        assert_eq!(count("12_000"), Ok(12_000));
        for bad in ["", "0", "-1", "1.5", "k", "ten", "nan", "9e99", "inf"] {
            assert!(count(bad).is_err(), "{bad:?} was accepted");
        }
        assert_eq!(usd("$0.50"), Ok(0.5));
        assert_eq!(usd("0"), Ok(0.0));
        for bad in ["", "-1", "nan", "inf", "1e9", "1,5", "."] {
            assert!(usd(bad).is_err(), "{bad:?} was accepted");
        }
        assert!(calls("5000m").is_err());
    }

    #[test]
    fn a_misspelt_role_is_answered_with_the_nearest() {
        assert_eq!(
            "coder=gpt-4o".parse(),
            Ok(RoleModel { role: AgentRole::Coder, model: "gpt-4o".into() })
        );
        let error = "codre=x".parse::<RoleModel>().unwrap_err();
        assert!(error.contains("coder"), "{error}");
        assert!("coder".parse::<RoleModel>().is_err());
        assert!("coder=".parse::<RoleModel>().is_err());
    }
}
