//! Which name may have been meant.

/// Returns the known name that differs least from `name`, if it is close.
pub(crate) fn closest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    known
        .map(|candidate| (distance(name, candidate), candidate))
        // In a short name, two differences make another one.
        .filter(|(distance, candidate)| *distance <= 2 && *distance * 2 < candidate.len().max(2))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// Counts the bytes to insert, remove, replace or swap with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX);
            let changed = at(&last, j).saturating_add(usize::from(a != b));
            let (removed, inserted) = (at(&last, j + 1), at(&row, j));
            let mut least = changed.min(removed.saturating_add(1)).min(inserted.saturating_add(1));
            let is_swapped =
                i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if is_swapped {
                least = least.min(at(&before_last, j - 1).saturating_add(1));
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_swaps_as_one() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("verfiy", "verify", 1),
            ("kye", "key", 1),
            ("alice", "alcie", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn only_what_is_close_is_meant() {
        let closest = |name| closest(name, ["gen", "verify", "sign", "id"].into_iter());
        assert_eq!(closest("verfy").as_deref(), Some("verify"));
        assert_eq!(closest("gne").as_deref(), Some("gen"));
        assert_eq!(closest("sgin").as_deref(), Some("sign"));
        for other in ["", "x", "run", "signature", "key"] {
            assert_eq!(closest(other), None, "{other}");
        }
    }
}
