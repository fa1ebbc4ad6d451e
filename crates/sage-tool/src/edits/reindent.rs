//! How the indentation of a search text relates to that of the file, and what that means for the
//! lines that replace it.
//!
//! Invariant: an interpretation explains every line that was compared, or it is not offered; a line
//! that it cannot carry over is refused, never approximated.

/// One way to turn indentation as the model wrote it into indentation of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reindent {
    /// Both agree.
    Same,
    /// The file has this in front of what the model wrote.
    Deeper(String),
    /// The model wrote this in front of what the file has.
    Shallower(String),
    /// Only the first line lost its indentation, which is this.
    FirstLine(String),
    /// One side uses tabs, the other `n_spaces` spaces per level.
    Units {
        n_spaces: usize,
        tabs_in_file: bool,
        /// Levels that the file has more than the model wrote.
        deeper_by: isize,
    },
}

/// Spaces per level that people use.
const UNITS: [usize; 4] = [4, 2, 8, 3];

/// The interpretations that explain every pair `(search, file)` of indentations, most plausible
/// first. Empty when there is none.
pub(super) fn interpretations(pairs: &[(&str, &str)]) -> Vec<Reindent> {
    let Some((first_search, first_file)) = pairs.first() else {
        return vec![Reindent::Same];
    };
    if pairs.iter().all(|(search, file)| search == file) {
        return vec![Reindent::Same];
    }
    if pairs.len() > 1
        && first_search.is_empty()
        && !first_file.is_empty()
        && pairs[1..].iter().all(|(search, file)| search == file)
    {
        return vec![Reindent::FirstLine((*first_file).to_owned())];
    }
    if let Some(prefix) = first_file.strip_suffix(first_search)
        && pairs.iter().all(|(search, file)| file.strip_prefix(prefix) == Some(search))
    {
        return vec![Reindent::Deeper(prefix.to_owned())];
    }
    if let Some(prefix) = first_search.strip_suffix(first_file)
        && pairs.iter().all(|(search, file)| search.strip_prefix(prefix) == Some(file))
    {
        return vec![Reindent::Shallower(prefix.to_owned())];
    }
    units(pairs)
}

fn units(pairs: &[(&str, &str)]) -> Vec<Reindent> {
    let only = |text: &str, blank: char| text.chars().all(|found| found == blank);
    let tabs_in_file = pairs.iter().all(|(search, file)| only(search, ' ') && only(file, '\t'));
    let tabs_in_search = pairs.iter().all(|(search, file)| only(search, '\t') && only(file, ' '));
    if !tabs_in_file && !tabs_in_search {
        return Vec::new();
    }
    let fits = |n_spaces: usize| {
        let mut shift = None;
        for (search, file) in pairs {
            let (spaces, tabs) = if tabs_in_file { (search, file) } else { (file, search) };
            if !spaces.len().is_multiple_of(n_spaces) {
                return None;
            }
            let levels = (spaces.len() / n_spaces) as isize;
            let tabs = tabs.len() as isize;
            let deeper_by = if tabs_in_file { tabs - levels } else { levels - tabs };
            if *shift.get_or_insert(deeper_by) != deeper_by {
                return None;
            }
        }
        shift.map(|deeper_by| Reindent::Units { n_spaces, tabs_in_file, deeper_by })
    };
    let all: Vec<Reindent> = UNITS.into_iter().filter_map(fits).collect();
    let unshifted = |way: &&Reindent| matches!(way, Reindent::Units { deeper_by: 0, .. });
    match all.iter().find(unshifted) {
        Some(way) => vec![way.clone()],
        None => all,
    }
}

impl Reindent {
    /// The file's form of the indentation `indent` of a new line. `is_first` is true for the first
    /// line of the replacement. `None` when this interpretation says nothing about such a line.
    pub(super) fn apply(&self, indent: &str, is_first: bool) -> Option<String> {
        match self {
            Self::Same => Some(indent.to_owned()),
            Self::Deeper(prefix) => join(prefix, indent),
            Self::Shallower(prefix) => indent.strip_prefix(prefix.as_str()).map(str::to_owned),
            Self::FirstLine(prefix) if is_first => {
                (indent.is_empty() || indent == prefix).then(|| prefix.clone())
            }
            Self::FirstLine(_) => Some(indent.to_owned()),
            Self::Units { n_spaces, tabs_in_file, deeper_by } => {
                let (from, n_from) = if *tabs_in_file { (' ', *n_spaces) } else { ('\t', 1) };
                let (to, n_to) = if *tabs_in_file { ("\t", 1) } else { (" ", *n_spaces) };
                if !indent.len().is_multiple_of(n_from) || indent.chars().any(|found| found != from)
                {
                    return None;
                }
                let levels = (indent.len() / n_from).checked_add_signed(*deeper_by)?;
                Some(to.repeat(levels * n_to))
            }
        }
    }
}

/// Puts the file's indentation in front of the model's. Where the file indents with tabs and the
/// model with spaces (or the reverse) a mixture would result, which means different things to
/// different readers: refused.
fn join(prefix: &str, indent: &str) -> Option<String> {
    let mixes = (prefix.contains('\t') && indent.contains(' '))
        || (!prefix.contains('\t') && indent.contains('\t'));
    (!mixes).then(|| format!("{prefix}{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compared_line_must_be_explained() {
        assert_eq!(
            interpretations(&[("", "    "), ("  ", "      ")]),
            [Reindent::Deeper("    ".into())]
        );
        assert_eq!(
            interpretations(&[("\t\t", "\t"), ("\t\t\t", "\t\t")]),
            [Reindent::Shallower("\t".into())]
        );
        assert_eq!(
            interpretations(&[("", "  "), ("    ", "    ")]),
            [Reindent::FirstLine("  ".into())]
        );
        assert_eq!(interpretations(&[("", "  "), ("  ", "  "), ("", "    ")]), []);
        assert_eq!(
            interpretations(&[("    ", "\t"), ("        ", "\t\t")]),
            [Reindent::Units { n_spaces: 4, tabs_in_file: true, deeper_by: 0 }]
        );
        assert_eq!(
            interpretations(&[("\t", "  "), ("\t\t", "    ")]),
            [Reindent::Units { n_spaces: 2, tabs_in_file: false, deeper_by: 0 }]
        );
    }

    #[test]
    fn a_line_that_cannot_be_carried_over_is_refused() {
        assert_eq!(Reindent::Shallower("    ".into()).apply("  ", false), None);
        assert_eq!(Reindent::Deeper("\t".into()).apply("  ", false), None);
        let units = Reindent::Units { n_spaces: 4, tabs_in_file: true, deeper_by: -1 };
        assert_eq!(units.apply("        ", false).as_deref(), Some("\t"));
        assert_eq!(units.apply("", false), None);
        assert_eq!(units.apply("      ", false), None);
    }
}
