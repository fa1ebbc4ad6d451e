//! Where in a file a search text belongs: a ladder of comparisons, from exact to tolerant.
//!
//! Invariant: on the first rung on which anything fits, exactly one place fits, or there is no
//! placement. Nothing is ever placed by similarity.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::Rung;
use super::fold::fold;
use super::lines::{Ending, Line, indent_of, occurrences};
use super::reindent::{Reindent, interpretations};

/// A search text, split into lines.
pub(super) struct Wanted<'a> {
    /// The lines without endings.
    pub(super) lines: Vec<&'a str>,
    /// The text ends with a newline: only whole lines are meant. Otherwise it may begin and end
    /// inside a line.
    pub(super) whole_lines: bool,
    /// How each line ends; the last one may have no ending to compare.
    endings: Vec<Ending>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(search: &'a str) -> Self {
        let whole_lines = search.ends_with('\n');
        let body = search.strip_suffix('\n').unwrap_or(search);
        let n_lines = body.split('\n').count();
        let mut endings = Vec::with_capacity(n_lines);
        let lines = body
            .split('\n')
            .enumerate()
            .map(|(i, line)| {
                if i + 1 == n_lines && !whole_lines {
                    endings.push(Ending::None);
                    return line;
                }
                let (found, text) = match line.strip_suffix('\r') {
                    Some(text) => (Ending::CrLf, text),
                    None => (Ending::Lf, line),
                };
                endings.push(found);
                text
            })
            .collect();
        Self { lines, whole_lines, endings }
    }

    /// Letters and digits, counted up to `enough`.
    pub(super) fn n_word_chars(&self, enough: usize) -> usize {
        self.lines
            .iter()
            .flat_map(|line| line.chars())
            .filter(|c| c.is_alphanumeric())
            .take(enough)
            .count()
    }
}

/// The place that a search text fits.
#[derive(Debug, Clone)]
pub(super) struct Placement<'a> {
    pub(super) rung: Rung,
    /// Lines of the file.
    pub(super) region: Range<usize>,
    /// What the first line has in front of the match.
    pub(super) prefix: &'a [u8],
    /// What the last line has behind the match.
    pub(super) suffix: &'a [u8],
    /// For each line of the search text the line of the file, except for blank lines that only the
    /// search text has.
    pub(super) map: Vec<Option<usize>>,
    /// How new lines may be indented.
    pub(super) reindents: Vec<Reindent>,
}

/// What was found.
pub(super) enum Found<'a> {
    One(Box<Placement<'a>>),
    /// Several places.
    Several(Vec<Placement<'a>>),
    /// Nothing; says what came close to fitting.
    None(NearMiss),
}

/// Why something that looked promising did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NearMiss {
    Nothing,
    /// The text occurs, but cuts a word in two, on this line (from 0).
    InsideWord(usize),
    /// The lines fit from this one on (from 0), but their indentation differs unevenly.
    Indentation(usize),
    /// It would fit only tolerantly, and says too little for that.
    TooShort,
}

/// A tolerant match needs this many letters or digits: `}` fits too much.
pub(super) const MIN_WORD_CHARS: usize = 3;

/// Candidates whose indentation is compared; a file with more is too uniform to place anything in.
pub(super) const MAX_CANDIDATES: usize = 2_000;

/// Finds the place of `wanted` in `file`, or up to `limit` places that fit equally well.
pub(super) fn find<'a>(file: &[Line<'a>], wanted: &Wanted<'_>, limit: usize) -> Found<'a> {
    let mut near_miss = NearMiss::Nothing;
    let exact = if wanted.whole_lines {
        exact_lines(file, wanted, limit)
    } else {
        exact_text(file, wanted, limit, &mut near_miss)
    };
    match one_of(exact) {
        Found::None(_) => {}
        found => return found,
    }
    for rung in
        [Rung::TrailingBlanks, Rung::Indentation, Rung::UnicodePunctuation, Rung::BlankLines]
    {
        if rung != Rung::TrailingBlanks && wanted.n_word_chars(MIN_WORD_CHARS) < MIN_WORD_CHARS {
            if near_miss == NearMiss::Nothing {
                near_miss = NearMiss::TooShort;
            }
            break;
        }
        match one_of(tolerant(file, wanted, rung, limit, &mut near_miss)) {
            Found::None(_) => {}
            found => return found,
        }
    }
    Found::None(near_miss)
}

fn one_of(mut places: Vec<Placement<'_>>) -> Found<'_> {
    match places.len() {
        0 => Found::None(NearMiss::Nothing),
        1 => Found::One(Box::new(places.remove(0))),
        _ => Found::Several(places),
    }
}

/// Whether the endings of the file lines are those that the search text has. The last line of a file
/// may lack its ending, which a search text in a block cannot say.
fn endings_rung(file: &[Line<'_>], region: Range<usize>, wanted: &Wanted<'_>) -> Rung {
    let same = file[region].iter().zip(&wanted.endings).all(|(line, ending)| {
        line.ending == *ending || line.ending == Ending::None || *ending == Ending::None
    });
    if same { Rung::Exact } else { Rung::LineEndings }
}

fn exact_lines<'a>(file: &[Line<'a>], wanted: &Wanted<'_>, limit: usize) -> Vec<Placement<'a>> {
    let texts: Vec<&[u8]> = file.iter().map(|line| line.text).collect();
    let pattern: Vec<&[u8]> = wanted.lines.iter().map(|line| line.as_bytes()).collect();
    let place = |start: usize| {
        let region = start..start + pattern.len();
        Placement {
            rung: endings_rung(file, region.clone(), wanted),
            map: region.clone().map(Some).collect(),
            region,
            prefix: b"",
            suffix: b"",
            reindents: vec![Reindent::Same],
        }
    };
    occurrences(&texts, &pattern, limit).into_iter().map(place).collect()
}

/// The text anywhere, also inside a line, but not inside a word.
fn exact_text<'a>(
    file: &[Line<'a>],
    wanted: &Wanted<'_>,
    limit: usize,
    near_miss: &mut NearMiss,
) -> Vec<Placement<'a>> {
    let mut text = Vec::new();
    let mut starts = Vec::with_capacity(file.len());
    for line in file {
        starts.push(text.len());
        text.extend_from_slice(line.text);
        if line.ending != Ending::None {
            text.push(b'\n');
        }
    }
    let pattern = wanted.lines.join("\n");
    let mut places = Vec::new();
    for at in occurrences(&text, pattern.as_bytes(), MAX_CANDIDATES) {
        let end = at + pattern.len();
        let start = starts.partition_point(|start| *start <= at).saturating_sub(1);
        if cuts_word(&text, at) || cuts_word(&text, end) {
            *near_miss = NearMiss::InsideWord(start);
            continue;
        }
        let region = start..start + wanted.lines.len();
        let last = file.get(region.end - 1);
        let n_last = starts.get(region.end - 1).map_or(0, |start| end - start);
        places.push(Placement {
            rung: endings_rung(file, region.clone(), wanted),
            map: region.clone().map(Some).collect(),
            prefix: file.get(start).map_or(b"", |line| &line.text[..at - starts[start]]),
            suffix: last.and_then(|line| line.text.get(n_last..)).unwrap_or_default(),
            region,
            reindents: vec![Reindent::Same],
        });
        if places.len() == limit {
            break;
        }
    }
    places
}

/// Whether a word goes on across this position.
fn cuts_word(text: &[u8], at: usize) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    at > 0 && text.get(at - 1).is_some_and(is_word) && text.get(at).is_some_and(is_word)
}

fn tolerant<'a>(
    file: &[Line<'a>],
    wanted: &Wanted<'_>,
    rung: Rung,
    limit: usize,
    near_miss: &mut NearMiss,
) -> Vec<Placement<'a>> {
    let file_shown: Vec<Cow<'a, str>> = file.iter().map(Line::shown).collect();
    let skips_blanks = rung == Rung::BlankLines;
    let keep = |text: &str| !skips_blanks || !text.trim().is_empty();
    let file_lines: Vec<usize> = (0..file.len()).filter(|i| keep(&file_shown[*i])).collect();
    let wanted_lines: Vec<usize> =
        (0..wanted.lines.len()).filter(|i| keep(wanted.lines[*i])).collect();

    let mut names: HashMap<Cow<'_, str>, u32> = HashMap::new();
    let mut name = |text| {
        let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
        *names.entry(text).or_insert(next)
    };
    let pattern: Vec<u32> =
        wanted_lines.iter().map(|i| name(key(wanted.lines[*i], rung))).collect();
    let text: Vec<u32> = file_lines.iter().map(|i| name(key(&file_shown[*i], rung))).collect();

    let mut places = Vec::new();
    for start in occurrences(&text, &pattern, MAX_CANDIDATES) {
        let matched = &file_lines[start..start + pattern.len()];
        let (Some(first), Some(last)) = (matched.first(), matched.last()) else { continue };
        let pairs: Vec<(&str, &str)> = wanted_lines
            .iter()
            .zip(matched)
            .filter(|(i, _)| !wanted.lines[**i].trim().is_empty())
            .map(|(i, line)| (indent_of(wanted.lines[*i]), indent_of(&file_shown[*line])))
            .collect();
        let reindents = interpretations(&pairs);
        if reindents.is_empty() {
            *near_miss = NearMiss::Indentation(*first);
            continue;
        }
        places.push(Placement {
            rung,
            region: *first..*last + 1,
            prefix: b"",
            suffix: b"",
            map: map_lines(&wanted_lines, matched, wanted.lines.len()),
            reindents,
        });
        if places.len() == limit {
            break;
        }
    }
    places
}

/// What two lines must share on a rung.
fn key(line: &str, rung: Rung) -> Cow<'_, str> {
    match rung {
        Rung::Exact | Rung::LineEndings => Cow::Borrowed(line),
        Rung::TrailingBlanks => Cow::Borrowed(line.trim_end()),
        Rung::Indentation => Cow::Borrowed(line.trim()),
        _ => Cow::Owned(fold(line).trim().to_owned()),
    }
}

/// Extends a mapping of compared lines to the blank lines between them, as far as both sides have
/// such lines.
fn map_lines(wanted: &[usize], matched: &[usize], n_lines: usize) -> Vec<Option<usize>> {
    let mut map = vec![None; n_lines];
    for (i, line) in wanted.iter().zip(matched) {
        map[*i] = Some(*line);
    }
    for (pair, lines) in wanted.windows(2).zip(matched.windows(2)) {
        let blanks = pair[0] + 1..pair[1];
        for (i, line) in blanks.zip(lines[0] + 1..lines[1]) {
            map[i] = Some(line);
        }
    }
    map
}
