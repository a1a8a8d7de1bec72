//! The one table: a line a figure, with what it is held against and whether it was reached.

use crate::machine;
use std::fmt::Write;

enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Aim(f64),
    None,
}

/// One line.
pub struct Figure {
    what: String,
    seen: f64,
    unit: &'static str,
    peer: Option<(String, f64)>,
    bound: Bound,
}

impl Figure {
    /// A value that must not exceed `limit`.
    pub fn limit(what: impl Into<String>, seen: f64, unit: &'static str, limit: f64) -> Self {
        Self { what: what.into(), seen, unit, peer: None, bound: Bound::AtMost(limit) }
    }

    /// A value that should not exceed `aim`.
    pub fn aim(what: impl Into<String>, seen: f64, unit: &'static str, aim: f64) -> Self {
        Self { what: what.into(), seen, unit, peer: None, bound: Bound::Aim(aim) }
    }

    /// A value that is only reported.
    pub fn plain(what: impl Into<String>, seen: f64, unit: &'static str) -> Self {
        Self { what: what.into(), seen, unit, peer: None, bound: Bound::None }
    }

    /// A value beside another: their ratio is reported.
    pub fn beside(mut self, peer: impl Into<String>, value: f64) -> Self {
        self.peer = Some((peer.into(), value));
        self
    }

    /// The ratio must not exceed `limit`.
    pub fn at_most(mut self, limit: f64) -> Self {
        self.bound = Bound::AtMost(limit);
        self
    }

    /// The ratio must reach `limit`.
    pub fn at_least(mut self, limit: f64) -> Self {
        self.bound = Bound::AtLeast(limit);
        self
    }

    fn line(&self) -> String {
        let Self { what, seen, unit, .. } = self;
        let (peer, ratio) = match &self.peer {
            Some((peer, value)) => (format!("{peer}: {value:.2} {unit}"), Some(seen / value)),
            None => (String::new(), None),
        };
        let measured = ratio.unwrap_or(*seen);
        let unit_of_limit = if ratio.is_some() { "×" } else { unit };
        let (limit, reached, share) = match self.bound {
            Bound::AtMost(most) => {
                (format!("≤ {most} {unit_of_limit}"), yes(measured <= most), Some(measured / most))
            }
            Bound::AtLeast(least) => {
                (format!("≥ {least} {unit_of_limit}"), yes(measured >= least), None)
            }
            Bound::Aim(aim) => {
                (format!("aim {aim} {unit_of_limit}"), yes(measured <= aim), Some(measured / aim))
            }
            Bound::None => (String::new(), "", None),
        };
        let ratio = ratio.or(share).map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        format!("| {what} | {seen:.2} {unit} | {peer} | {ratio} | {limit} | {reached} |")
    }
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "**no**" }
}

const HEAD: &str =
    "| figure | seen | beside | ratio | limit | reached |\n|---|---|---|---|---|---|";

/// All lines, printed as they come.
pub struct Table {
    quick: bool,
    began: String,
    lines: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    /// No lines yet.
    pub fn new(quick: bool) -> Self {
        println!("{HEAD}");
        Self { quick, began: machine::load(), lines: Vec::new(), notes: Vec::new() }
    }

    /// One more line.
    pub fn add(&mut self, figure: Figure) {
        let line = figure.line();
        println!("{line}");
        self.lines.push(line);
    }

    /// A sentence below the table.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        println!("{text}");
        self.notes.push(text);
    }

    /// The whole page.
    pub fn page(&self) -> String {
        let mut page = String::from("# Figures of one run\n\n");
        let quick = if self.quick { " -- --quick" } else { "" };
        let _ = writeln!(page, "- date: {}", machine::today());
        let _ = writeln!(page, "- command: `cargo run -p holdfast-bench{quick}`");
        let _ = writeln!(page, "- machine: {}", machine::describe());
        let (began, ended) = (&self.began, machine::load());
        let _ = writeln!(page, "- load average (1, 5, 15 minutes): {began} before, {ended} after");
        let _ = writeln!(page, "\n{HEAD}\n{}", self.lines.join("\n"));
        let _ = writeln!(page, "\nHow each is measured: `bench/README.md`.");
        for note in &self.notes {
            let _ = writeln!(page, "\n{note}");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_held_against_its_limit() {
        let line = Figure::plain("a", 3.0, "ms").beside("b", 2.0).at_most(1.5).line();
        assert_eq!(line, "| a | 3.00 ms | b: 2.00 ms | 1.50 | ≤ 1.5 × | yes |");
        let line = Figure::plain("a", 1.0, "req/s").beside("b", 4.0).at_least(0.4).line();
        assert_eq!(line, "| a | 1.00 req/s | b: 4.00 req/s | 0.25 | ≥ 0.4 × | **no** |");
    }

    #[test]
    fn a_value_is_held_against_its_limit() {
        let line = Figure::limit("a", 90.0, "ms", 60.0).line();
        assert_eq!(line, "| a | 90.00 ms |  | 1.50 | ≤ 60 ms | **no** |");
        assert_eq!(Figure::plain("a", 1.0, "ms").line(), "| a | 1.00 ms |  |  |  |  |");
    }
}
