use super::line::{Line, Tone};

const GAP: usize = 2;
/// Prose is not made narrower than this.
const NARROWEST_PROSE: usize = 16;

/// A column of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
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
    /// Nothing.
    Whole,
    /// It is cut, down to so many columns.
    Cut { least: usize },
    /// It goes on below, down to [`NARROWEST_PROSE`].
    Wrap,
}

impl Fit {
    /// The narrowest that a column may become; none: it stays as it is.
    fn least(self) -> Option<usize> {
        match self {
            Fit::Whole => None,
            Fit::Cut { least } => Some(least),
            Fit::Wrap => Some(NARROWEST_PROSE),
        }
    }
}

impl Column {
    /// Aligned to the left, always whole: ids and short words.
    pub(crate) const fn text(title: &'static str) -> Self {
        Self { title, align: Align::Left, fit: Fit::Whole }
    }

    /// Aligned to the right, always whole.
    pub(crate) const fn number(title: &'static str) -> Self {
        Self { title, align: Align::Right, fit: Fit::Whole }
    }

    /// Aligned to the left; where the terminal is too narrow only a beginning is shown, of `least` columns or more.
    pub(crate) const fn beginning(title: &'static str, least: usize) -> Self {
        Self { title, align: Align::Left, fit: Fit::Cut { least } }
    }

    /// Aligned to the left; where the terminal is too narrow it goes on in the next line.
    pub(crate) const fn prose(title: &'static str) -> Self {
        Self { title, align: Align::Left, fit: Fit::Wrap }
    }
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Line>>,
}

impl Table {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [Line; N]) {
        assert_eq!(N, self.columns.len(), "a row has a cell for each column");
        self.rows.push(cells.into());
    }

    /// The whole table; `width` is the terminal's, none leaves every column as wide as its widest cell. A column without any
    /// content is left out.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let used: Vec<usize> = (0..self.columns.len()).filter(|&column| self.is_used(column)).collect();
        let mut widths: Vec<usize> = used.iter().map(|&column| self.widest(column)).collect();
        if let Some(width) = width {
            self.narrow(&used, &mut widths, width);
        }
        let titles = used.iter().map(|&column| Line::toned(Tone::Faint, self.columns[column].title)).collect();
        let rows = self.rows.iter().map(|row| used.iter().map(|&column| row[column].clone()).collect());
        std::iter::once(titles).chain(rows).flat_map(|cells: Vec<Line>| self.row_lines(&used, &widths, cells)).collect()
    }

    fn is_used(&self, column: usize) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| !row[column].is_empty())
    }

    fn widest(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        cells.max(self.columns[column].title.len())
    }

    /// Takes what is too much from the widest column that can give, again and again.
    fn narrow(&self, used: &[usize], widths: &mut [usize], limit: usize) {
        let gaps = GAP * used.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let can_give =
                |index: &usize| self.columns[used[*index]].fit.least().is_some_and(|least| widths[*index] > least);
            match (0..used.len()).filter(can_give).max_by_key(|&index| widths[index]) {
                Some(index) => widths[index] -= 1,
                None => return,
            }
        }
    }

    /// A row is as high as its highest cell.
    fn row_lines(&self, used: &[usize], widths: &[usize], cells: Vec<Line>) -> Vec<Line> {
        let cells: Vec<Vec<Line>> = cells
            .into_iter()
            .enumerate()
            .map(|(index, cell)| match self.columns[used[index]].fit {
                Fit::Whole | Fit::Cut { .. } => vec![cell.cut(widths[index])],
                Fit::Wrap => cell.wrapped(widths[index]),
            })
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |index: usize, line: usize| cells[index].get(line).cloned().unwrap_or_default();
        (0..height).map(|line| self.joined(used, widths, |index| cell(index, line))).collect()
    }

    fn joined(&self, used: &[usize], widths: &[usize], cell: impl Fn(usize) -> Line) -> Line {
        let mut line = Line::new();
        for (index, width) in widths.iter().enumerate() {
            let cell = cell(index);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            let gap = if index == 0 { "" } else { "  " };
            line = line.then(Tone::Plain, gap);
            line = match self.columns[used[index]].align {
                Align::Right => line.then(Tone::Plain, padding).and(cell),
                Align::Left => line.and(cell).then(Tone::Plain, padding),
            };
        }
        line.trimmed()
    }
}
