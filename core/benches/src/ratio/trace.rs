//! Recorded requests in the format GCT1 under zstd: `"GCT1"`, u32 flags (bit 0: sizes), u64
//! requests, u64 objects; then LEB128: for each request zigzag(id - previous id), then with sizes
//! the size of each object by id.

use std::{fs::File, io::Read, path::Path};

use ruzstd::decoding::StreamingDecoder;

const HEAD: usize = 24;
/// What `--quick` leaves of a trace.
const QUICK: usize = 200_000;

/// Who was asked for, and how large everyone is.
pub struct Trace {
    pub name: String,
    /// Dense, numbered by first use.
    pub ids: Vec<u32>,
    /// By id; one each in a trace without sizes.
    pub sizes: Vec<u64>,
    pub sized: bool,
    /// Whether only its beginning was read.
    pub cut: bool,
}

impl Trace {
    /// Reads a trace, or its beginning.
    pub fn read(path: &Path, quick: bool) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let mut decoder = StreamingDecoder::new(file).map_err(|error| error.to_string())?;
        decoder.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default();
        let mut trace = Self::parse(name, &bytes).ok_or("not a GCT1 trace, or a broken one")?;
        trace.cut = quick && trace.ids.len() > QUICK;
        if trace.cut {
            trace.ids.truncate(QUICK);
            let objects = trace.ids.iter().max().map_or(0, |&id| id as usize + 1);
            trace.sizes.truncate(objects);
        }
        Ok(trace)
    }

    /// How many objects there are.
    pub fn objects(&self) -> usize {
        self.sizes.len()
    }

    fn parse(name: &str, bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_at_checked(HEAD)?;
        if !head.starts_with(b"GCT1") {
            return None;
        }
        let word = |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let (requests, objects, sized) = (word(8)?, word(16)?, head[4] & 1 == 1);
        let mut id = 0_i64;
        let ids = (0..requests).map(|_| {
            let zigzag = varint(&mut rest)?;
            id += (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
            u32::try_from(id).ok().filter(|&id| u64::from(id) < objects)
        });
        let ids = ids.collect::<Option<_>>()?;
        let size = |_| if sized { varint(&mut rest) } else { Some(1) };
        let sizes = (0..objects).map(size).collect::<Option<_>>()?;
        Some(Self { name: name.into(), ids, sizes, sized, cut: false })
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(flags: u8, requests: u8, objects: u8) -> Vec<u8> {
        let mut bytes = b"GCT1".to_vec();
        bytes.extend([flags, 0, 0, 0, requests, 0, 0, 0, 0, 0, 0, 0, objects, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn ids_are_differences_and_sizes_follow() {
        let mut bytes = head(1, 4, 3);
        bytes.extend([0, 2, 2, 3, 5, 0x80, 1, 7]); // ids 0 1 2 0, sizes 5 128 7
        let trace = Trace::parse("t", &bytes).expect("well formed");
        assert_eq!((trace.ids, trace.sizes), (vec![0, 1, 2, 0], vec![5, 128, 7]));
    }

    #[test]
    fn broken_ones_are_refused() {
        let mut unknown_id = head(0, 1, 1);
        unknown_id.push(2);
        for bytes in [b"GCT2".to_vec(), head(0, 1, 1), unknown_id] {
            assert!(Trace::parse("t", &bytes).is_none());
        }
    }
}
