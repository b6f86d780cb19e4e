//! Tables on standard output.

use std::fmt::Display;

/// A table that is printed when it is full, its columns aligned.
pub struct Report {
    rows: Vec<Vec<String>>,
}

impl Report {
    /// Begins a table: prints its title and how busy the machine is, for figures of a busy
    /// machine are worth less.
    pub fn new(title: impl Display, columns: &[&str]) -> Self {
        println!("\n== {title}\n   load average {}", load());
        Self { rows: vec![columns.iter().map(ToString::to_string).collect()] }
    }

    /// A remark under the title.
    pub fn note(&self, text: impl Display) {
        println!("   {text}");
    }

    /// One more row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Prints the rows.
    pub fn print(self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| match column {
                0 => format!("{cell:<0$}", widths[column]),
                _ => format!("{cell:>0$}", widths[column]),
            });
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        println!("   load average {}", load());
    }
}

/// The bar and whether a figure meets it, as two cells. A bar is an upper bound.
pub fn verdict(figure: f64, bar: f64) -> [String; 2] {
    [format!("<= {bar}"), if figure <= bar { "met".into() } else { "missed".into() }]
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => figures[n / 2],
        n => f64::midpoint(figures[n / 2 - 1], figures[n / 2]),
    }
}

fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
