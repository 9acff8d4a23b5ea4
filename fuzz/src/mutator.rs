//! Makes new inputs from old ones.
//!
//! Responsible for: a handful of simple changes (bytes, ranges, tokens of the target's language, two inputs joined).
//! Not responsible for: choosing which inputs are interesting.
//!
//! Invariant: an input never grows beyond [`MAX_INPUT`].

use crate::random::Random;

/// Longest input.
pub const MAX_INPUT: usize = 4096;

/// Bytes at which parsers tend to turn.
const EDGES: [u8; 14] = [0, 1, 0x09, b'\n', b'\r', b' ', b'"', b'%', b',', b':', b';', 0x7F, 0x80, 0xFF];

/// One new input from the seeds: a seed with one to six changes.
pub fn mutate(seeds: &[Vec<u8>], tokens: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut input = random.choose(seeds).cloned().unwrap_or_default();
    for _ in 0..=random.below(6) {
        change(&mut input, seeds, tokens, random);
        input.truncate(MAX_INPUT);
    }
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], tokens: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let length = random.below(input.len() - at + 1).min(random.below(64) + 1);
    match random.below(9) {
        0 => replace(input, at, 1, &[random.byte()]),
        1 => replace(input, at, 1, &[EDGES[random.below(EDGES.len())]]),
        2 => flip_bit(input, at, random),
        3 => replace(input, at, length, &[]),
        4 => {
            let copy = input[at..at + length].to_vec();
            replace(input, at, 0, &copy);
        }
        5 => replace(input, at, 0, random.choose(tokens).copied().unwrap_or_default()),
        6 => replace(input, at, length, random.choose(tokens).copied().unwrap_or_default()),
        7 => {
            let other = random.choose(seeds).cloned().unwrap_or_default();
            let from = random.below(other.len() + 1);
            replace(input, at, usize::MAX, &other[from..]);
        }
        _ => replace_number(input, random),
    }
}

/// Puts `new` in place of at most `length` bytes at `at`.
fn replace(input: &mut Vec<u8>, at: usize, length: usize, new: &[u8]) {
    let end = at.saturating_add(length).min(input.len());
    input.splice(at..end, new.iter().copied());
}

fn flip_bit(input: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

/// Puts an extreme number in place of the first digits after a random place.
fn replace_number(input: &mut Vec<u8>, random: &mut Random) {
    const NUMBERS: [&[u8]; 8] = [
        b"0",
        b"-1",
        b"00",
        b"+1",
        b"65536",
        b"4294967296",
        b"18446744073709551615",
        b"99999999999999999999999",
    ];
    let from = random.below(input.len() + 1);
    let Some(start) = input[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else { return };
    let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    replace(input, start, length, NUMBERS[random.below(NUMBERS.len())]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn seeds() -> Vec<Vec<u8>> {
        vec![b"GET /a?b=12 HTTP/1.1\r\n\r\n".to_vec(), Vec::new(), vec![b'x'; MAX_INPUT]]
    }

    fn inputs(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut random = Random::new(seed);
        (0..count).map(|_| mutate(&seeds(), &[b"TOKEN"], &mut random)).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_inputs() {
        assert_eq!(inputs(5, 200), inputs(5, 200));
        assert_ne!(inputs(5, 200), inputs(6, 200));
    }

    #[test]
    fn inputs_differ_from_each_other_and_stay_short() {
        let inputs = inputs(1, 2000);
        assert!(inputs.iter().all(|input| input.len() <= MAX_INPUT));
        let different: HashSet<&Vec<u8>> = inputs.iter().collect();
        assert!(different.len() > 1000, "{}", different.len());
        assert!(inputs.iter().any(|input| input.windows(5).any(|window| window == b"TOKEN")));
        assert!(inputs.iter().any(|input| input.windows(10).any(|window| window == b"4294967296")));
    }

    #[test]
    fn nothing_can_be_made_from_nothing_without_a_panic() {
        let mut random = Random::new(3);
        for _ in 0..1000 {
            assert!(mutate(&[], &[], &mut random).len() <= MAX_INPUT);
        }
    }
}
