//! What the launcher reports while it works, one line each, over a pipe that the command never sees.

use std::io::{self, Read, Write};

/// Longest report that is read.
const MAX_REPORT_BYTES: u64 = 64 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// The jail could not be built; the command did not start.
    NoJail(String),
    /// The jail stands, but the program could not be started: an error number.
    NotStarted(i32),
    /// The command runs.
    Ready,
    /// The command was ended because it went over a bound.
    OverLimit(String),
    /// A signal ended the command.
    Signal(i32),
}

impl Status {
    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let one_line = |text: &str| text.replace(['\n', '\r'], " ");
        let line = match self {
            Self::NoJail(why) => format!("nojail {}\n", one_line(why)),
            Self::NotStarted(code) => format!("notstarted {code}\n"),
            Self::Ready => "ready\n".to_owned(),
            Self::OverLimit(what) => format!("limit {}\n", one_line(what)),
            Self::Signal(signal) => format!("signal {signal}\n"),
        };
        to.write_all(line.as_bytes())
    }

    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match word {
            "nojail" => Self::NoJail(rest.to_owned()),
            "notstarted" => Self::NotStarted(rest.parse().ok()?),
            "ready" => Self::Ready,
            "limit" => Self::OverLimit(rest.to_owned()),
            "signal" => Self::Signal(rest.parse().ok()?),
            _ => return None,
        })
    }
}

/// Reads all that was reported. The launcher is gone, so this does not wait.
pub(crate) fn read_all(from: impl Read) -> Vec<Status> {
    let mut text = Vec::new();
    // What could be read before an error counts.
    let _ = from.take(MAX_REPORT_BYTES).read_to_end(&mut text);
    String::from_utf8_lossy(&text).lines().filter_map(Status::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reported_is_read_back() {
        let all = [
            Status::NoJail("making a\nfolder".into()),
            Status::NotStarted(2),
            Status::Ready,
            Status::OverLimit("disk".into()),
            Status::Signal(9),
        ];
        let mut pipe = Vec::new();
        all.iter().for_each(|status| status.write(&mut pipe).unwrap());
        pipe.extend_from_slice(b"something else\nsignal x\n");
        let mut read = read_all(pipe.as_slice());
        assert_eq!(read.remove(0), Status::NoJail("making a folder".into()));
        assert_eq!(read, all[1..]);
    }
}
