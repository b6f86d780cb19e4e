//! Keys and values, and who asks for what.

/// Every value.
pub(crate) const VALUE: [u8; 100] = [b'v'; 100];

/// The skew of YCSB and of most published figures.
const SKEW: f64 = 0.99;

/// Requests of a thread before it begins anew.
const DRAWS: usize = 1 << 21;

/// How often each key is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Skew {
    /// The hottest ones most of the time: threads meet there, whatever the cache does.
    Zipf,
    /// All alike.
    Uniform,
}

impl Skew {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Zipf => "zipf",
            Self::Uniform => "uniform",
        }
    }
}

/// The key of a number, in hexadecimal.
pub(crate) fn key(number: u32) -> [u8; 16] {
    let mut left = mix(number.into());
    std::array::from_fn(|_| {
        let digit = b"0123456789abcdef"[(left & 15) as usize];
        left >>= 4;
        digit
    })
}

/// The finaliser of SplitMix64: a bijection that looks random.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The numbers below `count` in a random order: were they stored by rank, the hottest would be
/// neighbours in memory.
pub(crate) fn shuffled(count: u32) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count).collect();
    numbers.sort_unstable_by_key(|&number| mix(u64::from(number) | 1 << 40));
    numbers
}

/// What one thread asks for, one after the other: keys, which it has at hand.
pub(crate) struct Draws(Vec<[u8; 16]>);

impl Draws {
    pub(crate) fn new(skew: Skew, entries: u32, seed: u64) -> Self {
        let mut state = seed << 48;
        let mut random = || {
            state += 1;
            mix(state)
        };
        // How much of all requests the keys up to each rank get.
        let mut sum = 0.0;
        let shares: Vec<f64> = match skew {
            Skew::Uniform => Vec::new(),
            Skew::Zipf => (1..=entries)
                .map(|rank| {
                    sum += f64::from(rank).powf(-SKEW);
                    sum
                })
                .collect(),
        };
        let draw = |_| match skew {
            Skew::Uniform => (random() % u64::from(entries)) as u32,
            Skew::Zipf => {
                let at = random() as f64 / u64::MAX as f64 * sum;
                shares.partition_point(|&share| share < at).min(shares.len() - 1) as u32
            }
        };
        Self((0..DRAWS).map(draw).map(key).collect())
    }

    /// All of them, again and again.
    pub(crate) fn endless(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.0.iter().cycle()
    }
}
