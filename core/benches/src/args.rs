//! The command line.

use std::path::PathBuf;

pub const USAGE: &str = "\
usage: core-benches <hit|insert|threads|memory|longest|ratio|all> [options] [trace files]
  --quick        a tenth of everything: to see that it runs, not for figures
  --rounds N     rounds of hit, insert and threads (default 11)
  --only A,B     these contenders (the floor always takes part)
  --size N       ratio: also at N objects, or N bytes where objects have sizes; may be repeated";

/// Which table to print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    Hit,
    Insert,
    Threads,
    Memory,
    Longest,
    Ratio,
    All,
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    pub table: Table,
    pub quick: bool,
    pub rounds: usize,
    only: Vec<String>,
    pub sizes: Vec<u64>,
    pub traces: Vec<PathBuf>,
}

impl Options {
    /// Reads the arguments after the program's name.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let table = match args.next().as_deref() {
            Some("hit") => Table::Hit,
            Some("insert") => Table::Insert,
            Some("threads") => Table::Threads,
            Some("memory") => Table::Memory,
            Some("longest") => Table::Longest,
            Some("ratio") => Table::Ratio,
            Some("all") => Table::All,
            other => return Err(format!("which table? {}", other.unwrap_or(""))),
        };
        let mut options =
            Self { table, quick: false, rounds: 0, only: vec![], sizes: vec![], traces: vec![] };
        while let Some(arg) = args.next() {
            let mut operand = || args.next().ok_or(format!("{arg} needs an operand"));
            match arg.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = number(&operand()?)?,
                "--size" => options.sizes.push(number(&operand()?)?),
                "--only" => options.only.extend(operand()?.split(',').map(String::from)),
                _ if arg.starts_with("--") => return Err(format!("unknown option {arg}")),
                _ => options.traces.push(arg.into()),
            }
        }
        if options.rounds == 0 {
            options.rounds = if options.quick { 3 } else { 11 };
        }
        Ok(options)
    }

    /// Entries in a full cache.
    pub fn entries(&self) -> usize {
        if self.quick { 100_000 } else { 1_000_000 }
    }

    /// Whether this contender takes part.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn tables_options_and_files_are_told_apart() {
        let options = parse("ratio a.zst --size 1_000 --only lru,moka b.zst").expect("well formed");
        assert_eq!((options.table, options.sizes.as_slice()), (Table::Ratio, &[1000][..]));
        assert_eq!(options.traces.len(), 2);
        assert!(options.wants("lru") && options.wants("moka") && !options.wants("foyer"));
        for bad in ["", "hits", "hit --rounds", "hit --rounds x", "hit --fast"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
