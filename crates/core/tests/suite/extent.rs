//! Where an item ends, in the opinion of others.

use brine_core::cbor::{Extent, ExtentFinder, MAX_EXTENT_DEPTH, extent};
use ciborium::value::Value;
use proptest::collection::vec;
use proptest::prelude::*;

/// What the pseudocode of RFC 8949, Appendix C, says of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Opinion {
    Complete(usize),
    Cut,
    NotWellFormed,
}

/// Appendix C, with its recursion. A break is `None`.
fn well_formed(input: &[u8], breakable: bool, depth: usize) -> Result<Option<usize>, Opinion> {
    let initial = *input.first().ok_or(Opinion::Cut)?;
    let (major, info) = (initial >> 5, initial & 0x1f);
    let extra = match info {
        24..=27 => 1 << (info - 24),
        28..=30 => return Err(Opinion::NotWellFormed),
        31 => return indefinite(input, major, breakable, depth),
        _ => 0,
    };
    let bytes = input.get(1..1 + extra).ok_or(Opinion::Cut)?;
    let value = if extra == 0 {
        info.into()
    } else {
        bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
    };
    let mut used = 1 + extra;
    let deeper = || if depth == 0 { Err(Opinion::NotWellFormed) } else { Ok(depth - 1) };
    let items = match major {
        2 | 3 => {
            let length = usize::try_from(value).map_err(|_| Opinion::Cut)?;
            let end = used.checked_add(length).ok_or(Opinion::Cut)?;
            return if end <= input.len() { Ok(Some(end)) } else { Err(Opinion::Cut) };
        }
        4 => value.into(),
        5 => u128::from(value) * 2,
        6 => 1,
        7 if info == 24 && value < 32 => return Err(Opinion::NotWellFormed),
        _ => return Ok(Some(used)),
    };
    let depth = deeper()?;
    for _ in 0..items {
        used += well_formed(&input[used..], false, depth)?.unwrap();
    }
    Ok(Some(used))
}

fn indefinite(
    input: &[u8],
    major: u8,
    breakable: bool,
    depth: usize,
) -> Result<Option<usize>, Opinion> {
    let mut used = 1;
    match major {
        2 | 3 => loop {
            let initial = *input.get(used).ok_or(Opinion::Cut)?;
            if initial == 0xff {
                return Ok(Some(used + 1));
            }
            let head = 1 + [0, 1, 2, 4, 8][usize::from((initial & 0x1f).clamp(23, 27)) - 23];
            if input.len() < used + head && initial & 0x1f < 28 {
                return Err(Opinion::Cut);
            }
            if initial >> 5 != major || initial & 0x1f == 31 {
                return Err(Opinion::NotWellFormed);
            }
            used += well_formed(&input[used..], false, depth)?.unwrap();
        },
        4 | 5 => {
            let depth = depth.checked_sub(1).ok_or(Opinion::NotWellFormed)?;
            loop {
                let Some(one) = well_formed(&input[used..], true, depth)? else {
                    return Ok(Some(used + 1));
                };
                used += one;
                if major == 5 {
                    used += well_formed(&input[used..], false, depth)?.unwrap();
                }
            }
        }
        7 if breakable => Ok(None),
        _ => Err(Opinion::NotWellFormed),
    }
}

fn appendix_c(input: &[u8]) -> Opinion {
    match well_formed(input, false, MAX_EXTENT_DEPTH) {
        Ok(length) => Opinion::Complete(length.unwrap()),
        Err(opinion) => opinion,
    }
}

fn ours(input: &[u8]) -> Opinion {
    match extent(input) {
        Extent::Complete(length) => Opinion::Complete(length),
        Extent::NeedMore(missing) => {
            assert!(missing > 0);
            Opinion::Cut
        }
        Extent::Malformed(_) => Opinion::NotWellFormed,
    }
}

/// How long the first item is for ciborium, if it is one.
fn ciborium(input: &[u8]) -> Option<usize> {
    let mut rest = input;
    ciborium::from_reader::<Value, _>(&mut rest).ok()?;
    Some(input.len() - rest.len())
}

/// How a head is written: in the shortest form, or in so many bytes more.
fn head(major: u8, argument: impl TryInto<u64>, width: u8) -> Vec<u8> {
    let argument = argument.try_into().ok().unwrap();
    let bytes = argument.to_be_bytes();
    let least = match argument {
        0..24 => 0,
        24..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 3,
        _ => 4,
    };
    match width.max(least) {
        0 => vec![major << 5 | bytes[7]],
        1 => vec![major << 5 | 24, bytes[7]],
        2 => [&[major << 5 | 25], &bytes[6..]].concat(),
        3 => [&[major << 5 | 26], &bytes[4..]].concat(),
        _ => [&[major << 5 | 27], &bytes[..]].concat(),
    }
}

fn string(major: u8, contents: &[u8], width: u8) -> Vec<u8> {
    [head(major, contents.len(), width), contents.to_vec()].concat()
}

fn many(major: u8, count: usize, items: &[Vec<u8>], width: Option<u8>) -> Vec<u8> {
    match width {
        Some(width) => [head(major, count, width), items.concat()].concat(),
        None => [&[major << 5 | 31][..], &items.concat(), &[0xff]].concat(),
    }
}

/// Well-formed items in every form that there is, with text that is UTF-8 and no nameless simple value.
fn item() -> impl Strategy<Value = Vec<u8>> {
    let width = 0..5_u8;
    let leaf = prop_oneof![
        (0..2_u8, any::<u64>(), width.clone()).prop_map(|(major, n, width)| head(major, n, width)),
        (0..2_u8, 0..300_u64, width.clone()).prop_map(|(major, n, width)| head(major, n, width)),
        (vec(any::<u8>(), 0..300), width.clone())
            .prop_map(|(bytes, width)| string(2, &bytes, width)),
        (".{0,30}", width.clone()).prop_map(|(text, width)| string(3, text.as_bytes(), width)),
        (vec((".{0,9}", width.clone()), 0..4), 2..4_u8).prop_map(|(chunks, major)| {
            let chunks: Vec<_> = chunks
                .iter()
                .map(|(chunk, width)| string(major, chunk.as_bytes(), *width))
                .collect();
            many(major, 0, &chunks, None)
        }),
        (0xf4..0xf8_u8).prop_map(|simple| vec![simple]),
        any::<f64>().prop_map(|float| [&[0xfb], &float.to_be_bytes()[..]].concat()),
        any::<f32>().prop_map(|float| [&[0xfa], &float.to_be_bytes()[..]].concat()),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        let width = || proptest::option::of(0..5_u8);
        let pair = (inner.clone(), inner.clone()).prop_map(|(key, value)| [key, value].concat());
        prop_oneof![
            (vec(inner.clone(), 0..6), width()).prop_map(|(items, width)| many(
                4,
                items.len(),
                &items,
                width
            )),
            (vec(pair, 0..6), width()).prop_map(|(pairs, width)| many(
                5,
                pairs.len(),
                &pairs,
                width
            )),
            // Not a bignum, of which ciborium asks that it is a short byte string.
            (4..1000_u64, 0..5_u8, inner).prop_map(|(tag, width, item)| [
                head(6, tag, width),
                item
            ]
            .concat()),
        ]
    })
}

/// All inputs of three bytes, and with them all that are shorter.
#[test]
fn short_inputs_are_judged_as_appendix_c_judges_them() {
    for number in 0..1_u32 << 24 {
        let input = &number.to_be_bytes()[1..];
        assert_eq!(ours(input), appendix_c(input), "{input:02x?}");
    }
}

proptest! {
    #[test]
    fn what_is_well_formed_is_measured_as_ciborium_does(
        item in item(), after in vec(any::<u8>(), 0..4),
    ) {
        let input = [&item[..], &after].concat();
        prop_assert_eq!(extent(&input), Extent::Complete(item.len()));
        prop_assert_eq!(ciborium(&input), Some(item.len()));
        prop_assert_eq!(appendix_c(&input), Opinion::Complete(item.len()));
    }

    /// Also where it was damaged, and however it arrives.
    #[test]
    fn any_bytes_are_judged_as_appendix_c_judges_them(
        item in item(), edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(), sizes in vec(1..20_usize, 1..5),
    ) {
        let mut input = item;
        for (place, byte) in edits {
            let place = place.index(input.len());
            input[place] = byte;
        }
        input.truncate(cut.index(input.len()) + 1);
        let expected = appendix_c(&input);
        prop_assert_eq!(ours(&input), expected);
        // What ciborium takes beyond that is not well-formed: it has simple values in two bytes.
        if let (Some(length), false) = (ciborium(&input), input.contains(&0xf8)) {
            prop_assert_eq!(expected, Opinion::Complete(length));
        }
        let mut finder = ExtentFinder::default();
        let (mut end, mut turn) = (0, 0);
        let found = loop {
            match finder.find(&input[..end]) {
                Extent::NeedMore(_) if end < input.len() => {
                    end = (end + sizes[turn % sizes.len()]).min(input.len());
                    turn += 1;
                }
                found => break found,
            }
        };
        prop_assert_eq!(found, extent(&input));
    }
}
