use super::line::{Line, Tone};

const GAP: usize = 2;
/// A column is not made narrower than this.
const NARROWEST: usize = 8;

/// A column of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Column {
    title: &'static str,
    align: Align,
    fit: Fit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// What happens to a column when the terminal is too narrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Nothing: what people copy out of it has to be whole.
    Whole,
    /// It is cut.
    Cut,
}

impl Column {
    /// Aligned to the left, never cut: ids and short words.
    pub(in crate::client) const fn text(title: &'static str) -> Self {
        Self { title, align: Align::Left, fit: Fit::Whole }
    }

    /// Aligned to the right.
    pub(in crate::client) const fn number(title: &'static str) -> Self {
        Self { title, align: Align::Right, fit: Fit::Whole }
    }

    /// Aligned to the left, cut where the terminal is too narrow.
    pub(in crate::client) const fn prose(title: &'static str) -> Self {
        Self { title, align: Align::Left, fit: Fit::Cut }
    }
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub(in crate::client) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Line>>,
}

impl Table {
    pub(in crate::client) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(in crate::client) fn row<const N: usize>(&mut self, cells: [Line; N]) {
        assert_eq!(N, self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells.into());
    }

    /// The whole table; `width` is the terminal's, none leaves every column as wide as its widest cell. A column without any
    /// content is left out.
    pub(in crate::client) fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let used: Vec<usize> = (0..self.columns.len())
            .filter(|&column| self.rows.is_empty() || self.rows.iter().any(|row| !row[column].is_empty()))
            .collect();
        let mut widths: Vec<usize> = used.iter().map(|&column| self.widest(column)).collect();
        if let Some(width) = width {
            self.shrink(&used, &mut widths, width);
        }
        let titles = used.iter().map(|&column| Line::toned(Tone::Faint, self.columns[column].title)).collect();
        std::iter::once(titles)
            .chain(self.rows.iter().map(|row| used.iter().map(|&column| row[column].clone()).collect()))
            .map(|cells: Vec<Line>| self.joined(&used, &widths, cells))
            .collect()
    }

    fn widest(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        cells.max(self.columns[column].title.len())
    }

    /// Takes what is too much from the widest column that may be cut, again and again.
    fn shrink(&self, used: &[usize], widths: &mut [usize], limit: usize) {
        let gaps = GAP * used.len().saturating_sub(1);
        loop {
            let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
            let widest = (0..used.len())
                .filter(|&index| self.columns[used[index]].fit == Fit::Cut && widths[index] > NARROWEST)
                .max_by_key(|&index| widths[index]);
            match widest {
                Some(index) if excess > 0 => {
                    let next = (0..used.len())
                        .filter(|&other| other != index && self.columns[used[other]].fit == Fit::Cut)
                        .map(|other| widths[other])
                        .max()
                        .unwrap_or(0);
                    let least = next.min(widths[index] - 1).max(NARROWEST);
                    widths[index] = widths[index].saturating_sub(excess).max(least);
                }
                Some(_) | None => return,
            }
        }
    }

    fn joined(&self, used: &[usize], widths: &[usize], cells: Vec<Line>) -> Line {
        let last = used.len() - 1;
        let mut line = Line::new();
        for (index, cell) in cells.into_iter().enumerate() {
            let cell = cell.cut(widths[index]);
            let padding = " ".repeat(widths[index].saturating_sub(cell.width()));
            line = match self.columns[used[index]].align {
                Align::Right => line.then(Tone::Plain, padding).and(cell),
                Align::Left if index == last => line.and(cell),
                Align::Left => line.and(cell).then(Tone::Plain, padding),
            };
            if index < last {
                line = line.then(Tone::Plain, " ".repeat(GAP));
            }
        }
        line
    }
}
