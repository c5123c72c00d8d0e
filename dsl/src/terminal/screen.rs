use std::io::{self, BufWriter, IsTerminal, Write};

use super::line::Line;

/// Whether styles are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    Shown,
    Hidden,
}

/// What is at the other end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A file or a pipe.
    Program,
    /// A terminal that cannot move its cursor.
    Printer { columns: usize },
    /// A terminal.
    Terminal { columns: usize },
}

/// One of the two output streams.
pub(crate) struct Sink {
    writer: Box<dyn Write + Send>,
    reader: Reader,
    colour: Colour,
}

impl Sink {
    pub(crate) fn new(writer: impl Write + Send + 'static, reader: Reader, colour: Colour) -> Self {
        Self { writer: Box::new(writer), reader, colour }
    }

    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    /// Columns of the terminal; none: no terminal reads this.
    pub(crate) fn width(&self) -> Option<usize> {
        match self.reader {
            Reader::Program => None,
            Reader::Printer { columns } | Reader::Terminal { columns } => Some(columns),
        }
    }

    pub(crate) fn line(&mut self, line: &Line) -> io::Result<()> {
        writeln!(self.writer, "{}", line.render(self.colour))
    }

    pub(crate) fn lines(&mut self, lines: &[Line]) -> io::Result<()> {
        lines.iter().try_for_each(|line| self.line(line))
    }

    /// Bytes as they are: for documents and for output that is wanted raw.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// Puts `lines` in the place of the `former` ones above the cursor. Each has to fit the terminal's width.
    pub(crate) fn redraw(&mut self, former: usize, lines: &[Line]) -> io::Result<()> {
        if former > 0 {
            write!(self.writer, "\x1b[{former}A")?;
        }
        for line in lines {
            writeln!(self.writer, "\r{}\x1b[K", line.render(self.colour))?;
        }
        // Fewer lines than before leave old ones below the cursor.
        write!(self.writer, "\x1b[J")?;
        self.flush()
    }
}

/// Standard output for answers, standard error for everything else.
pub(crate) struct Screen {
    pub(crate) out: Sink,
    pub(crate) err: Sink,
}

impl Screen {
    /// This process's own streams. Colour only on a terminal that has some, and unless `NO_COLOR` says otherwise.
    pub(crate) fn of_process() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        let colour = if dumb || is_set("NO_COLOR") { Colour::Hidden } else { Colour::Shown };
        let sink = |writer: Box<dyn Write + Send>, is_terminal: bool| match (is_terminal, dumb) {
            (false, _) => Sink::new(writer, Reader::Program, Colour::Hidden),
            (true, true) => Sink::new(writer, Reader::Printer { columns: columns() }, colour),
            (true, false) => Sink::new(writer, Reader::Terminal { columns: columns() }, colour),
        };
        let (out, err) = (io::stdout(), io::stderr());
        let (out_terminal, err_terminal) = (out.is_terminal(), err.is_terminal());
        Self {
            out: sink(Box::new(BufWriter::new(out)), out_terminal),
            err: sink(Box::new(BufWriter::new(err)), err_terminal),
        }
    }

    /// A remark beside the answer. Losing it is no reason to fail.
    pub(crate) fn remark(&mut self, line: &Line) {
        let _ = self.err.line(line);
        let _ = self.err.flush();
    }
}

/// Columns of the terminal, asked of whichever stream is one.
fn columns() -> usize {
    const NARROWEST: usize = 20;
    let size = terminal_size::terminal_size_of(io::stdout()).or_else(|| terminal_size::terminal_size_of(io::stderr()));
    size.map_or(80, |(terminal_size::Width(columns), _)| usize::from(columns).max(NARROWEST))
}
