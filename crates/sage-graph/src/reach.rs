//! Which node can be reached from which, as one bit per pair.

/// Bits of one word.
const WORD: usize = u64::BITS as usize;

/// The transitive closure of an acyclic graph over `0..n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reach {
    n_words: usize,
    bits: Vec<u64>,
}

impl Reach {
    /// `successors[i]` lists nodes with indices greater than `i`, as in any topological order.
    pub(crate) fn new(successors: &[Vec<usize>]) -> Self {
        let n = successors.len();
        let n_words = n.div_ceil(WORD);
        let mut bits = vec![0_u64; n * n_words];
        for from in (0..n).rev() {
            for &to in &successors[from] {
                debug_assert!(from < to && to < n);
                let (head, tail) = bits.split_at_mut(to * n_words);
                let row = &mut head[from * n_words..(from + 1) * n_words];
                for (mine, theirs) in row.iter_mut().zip(&tail[..n_words]) {
                    *mine |= theirs;
                }
                row[to / WORD] |= 1 << (to % WORD);
            }
        }
        Self { n_words, bits }
    }

    /// Whether a path of at least one edge leads from `from` to `to`.
    pub(crate) fn reaches(&self, from: usize, to: usize) -> bool {
        self.bits[from * self.n_words + to / WORD] & (1 << (to % WORD)) != 0
    }
}
