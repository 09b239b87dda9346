//! What is drawn at random for a row: a function of the task's seed and the row's content alone.

use crate::cell::Cell;

/// The draws of one task.
#[derive(Debug, Clone)]
pub(super) struct Draws {
    key: [u8; 32],
}

/// The numbers drawn for one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowDraw {
    share: u64,
    side: u64,
    pick: u64,
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self { key: blake3::derive_key("labelmix-data 1 draws for the rows of a task", &seed.to_le_bytes()) }
    }

    /// The draw for a row of this content. Where the row stands, what else there is, and how its format types numbers
    /// make no difference.
    pub(super) fn of<'a>(&self, content: impl IntoIterator<Item = &'a Cell>) -> RowDraw {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for cell in content {
            update(&mut hasher, cell);
        }
        let mut output = hasher.finalize_xof();
        let mut word = || {
            let mut bytes = [0; 8];
            output.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        RowDraw { share: word(), side: word(), pick: word() }
    }
}

impl RowDraw {
    /// Whether the row is among a share of all.
    pub(super) fn is_within(self, share: f64) -> bool {
        // The upper 53 bits are a float without rounding.
        ((self.share >> 11) as f64) < share * (1u64 << 53) as f64
    }

    /// True for half of the rows.
    pub(super) fn heads(self) -> bool {
        self.side & 1 == 1
    }

    /// One of `count` things, each equally likely.
    pub(super) fn one_of(self, count: usize) -> usize {
        ((u128::from(self.pick) * count as u128) >> 64) as usize
    }
}

/// Feeds a cell so that no two different contents are the same bytes: what can have several lengths is preceded by it.
fn update(hasher: &mut blake3::Hasher, cell: &Cell) {
    match cell {
        Cell::List(cells) => {
            hasher.update(b"l").update(&(cells.len() as u64).to_le_bytes());
            for cell in cells {
                update(hasher, cell);
            }
        }
        Cell::Record(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            hasher.update(b"r").update(&(entries.len() as u64).to_le_bytes());
            for (name, cell) in entries {
                hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
                update(hasher, cell);
            }
        }
        simple => {
            let key = simple.exact().unwrap_or_default();
            hasher.update(b"s").update(&(key.len() as u64).to_le_bytes()).update(key.as_bytes());
        }
    }
}
