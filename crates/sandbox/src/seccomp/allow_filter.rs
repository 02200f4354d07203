//! A filter that allows the calls of a list, and one that is passed over for most calls, by binary search.
//!
//! A filter of seccompiler compares with all its calls one by one, and the kernel runs it for every call number when
//! it is set. With three hundred calls that takes a millisecond, a fifth of the start of a job.

use std::io;

use seccompiler::{BpfProgram, sock_filter};

/// Compiles a filter that allows these calls and answers all others with `errno`.
///
/// It does not look at the architecture: the other filters do, and kill a call of another one.
pub(super) fn compile(calls: impl Iterator<Item = i64>, errno: i32) -> io::Result<BpfProgram> {
    let mut program = vec![instruction(LOAD, 0, 0, NUMBER_OFFSET)];
    let ranges = ranges(calls)?;
    let answers = [RETURN_ALLOW, RETURN_ERRNO | errno.cast_unsigned()];
    program.extend(search(&ranges, LowerBound::Unknown, answers)?);
    Ok(program)
}

/// Lets all calls but these pass before a filter of seccompiler is asked. It **must** allow all but these.
///
/// A call of another architecture is not passed over: its number means another call, and the filter kills it.
pub(super) fn only_for(
    calls: impl Iterator<Item = i64>,
    architecture: u32,
    filter: BpfProgram,
) -> io::Result<BpfProgram> {
    // What is found goes on behind the search: a return that stands for that is replaced by a jump.
    const FOUND: u32 = u32::MAX;
    let search = search(&ranges(calls)?, LowerBound::Unknown, [FOUND, RETURN_ALLOW])?;
    let length = u32::try_from(search.len()).map_err(io::Error::other)?;
    let mut program = vec![
        instruction(LOAD, 0, 0, ARCHITECTURE_OFFSET),
        instruction(JUMP_IF_EQUAL, 1, 0, architecture),
        instruction(JUMP, 0, 0, length.saturating_add(1)),
        instruction(LOAD, 0, 0, NUMBER_OFFSET),
    ];
    let behind = (0..length).rev();
    program.extend(search.into_iter().zip(behind).map(|(one, behind)| match (one.code, one.k) {
        (RETURN, FOUND) => instruction(JUMP, 0, 0, behind),
        _ => one,
    }));
    program.extend(filter);
    Ok(program)
}

/// The first and the last of consecutive numbers.
type CallRange = (u32, u32);

fn ranges(calls: impl Iterator<Item = i64>) -> io::Result<Vec<CallRange>> {
    let numbers = calls.map(u32::try_from).collect::<Result<Vec<_>, _>>();
    let mut numbers = numbers.map_err(io::Error::other)?;
    numbers.sort_unstable();
    let mut ranges: Vec<CallRange> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if number <= last.saturating_add(1) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    Ok(ranges)
}

/// Whether the number is known to be at least the first of the ranges.
#[derive(Clone, Copy)]
enum LowerBound {
    Known,
    Unknown,
}

/// Returns the first of the answers for the numbers in the ranges, and the second for all others.
fn search(ranges: &[CallRange], lower: LowerBound, answers: [u32; 2]) -> io::Result<BpfProgram> {
    let [found, otherwise] = answers;
    let (below, above) = ranges.split_at(ranges.len() / 2);
    let Some((first, last)) = above.first() else {
        return Ok(vec![instruction(RETURN, 0, 0, otherwise)]);
    };
    if below.is_empty() {
        let mut program = Vec::new();
        if matches!(lower, LowerBound::Unknown) {
            program.push(instruction(JUMP_IF_GREATER_OR_EQUAL, 0, 2, *first));
        }
        program.push(instruction(JUMP_IF_GREATER, 1, 0, *last));
        program.push(instruction(RETURN, 0, 0, found));
        program.push(instruction(RETURN, 0, 0, otherwise));
        return Ok(program);
    }
    let below = search(below, lower, answers)?;
    let over_below = u8::try_from(below.len()).map_err(io::Error::other)?;
    let mut program = vec![instruction(JUMP_IF_GREATER_OR_EQUAL, over_below, 0, *first)];
    program.extend(below);
    program.extend(search(above, LowerBound::Known, answers)?);
    Ok(program)
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// The offset of the number of the call in `struct seccomp_data`.
const NUMBER_OFFSET: u32 = 0;

/// The offset of the architecture in `struct seccomp_data`.
const ARCHITECTURE_OFFSET: u32 = 4;

/// `BPF_JMP | BPF_JA`.
const JUMP: u16 = 0x05;

/// `BPF_JMP | BPF_JEQ | BPF_K`.
const JUMP_IF_EQUAL: u16 = 0x15;

/// `BPF_LD | BPF_W | BPF_ABS`.
const LOAD: u16 = 0x20;

/// `BPF_JMP | BPF_JGT | BPF_K`.
const JUMP_IF_GREATER: u16 = 0x25;

/// `BPF_JMP | BPF_JGE | BPF_K`.
const JUMP_IF_GREATER_OR_EQUAL: u16 = 0x35;

/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

const RETURN_ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

const RETURN_ERRNO: u32 = libc::SECCOMP_RET_ERRNO;

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: u32 = 62;

    /// Returns the answer of a program to a call of this architecture, as the kernel computes it.
    fn answer(program: &BpfProgram, number: u32) -> u32 {
        answer_to(program, HERE, number)
    }

    fn answer_to(program: &BpfProgram, architecture: u32, number: u32) -> u32 {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let jump = match code {
                LOAD => {
                    loaded = if k == NUMBER_OFFSET { number } else { architecture };
                    continue;
                }
                RETURN => return k,
                JUMP => {
                    at += usize::try_from(k).unwrap();
                    continue;
                }
                JUMP_IF_EQUAL => loaded == k,
                JUMP_IF_GREATER => loaded > k,
                JUMP_IF_GREATER_OR_EQUAL => loaded >= k,
                other => panic!("{other:#x}"),
            };
            at += usize::from(if jump { jt } else { jf });
        }
    }

    #[test]
    fn a_list_that_is_too_long_for_a_jump_is_refused() {
        assert_eq!(compile((0..400).step_by(3), 38).unwrap_err().kind(), io::ErrorKind::Other);
    }

    /// What is not passed over reaches the filter behind, whose answer to everything is 7.
    #[test]
    fn a_filter_is_asked_for_its_calls_and_for_other_architectures() {
        for list in [vec![], vec![0], vec![5, 3, 4, 9], (0..400).step_by(7).collect()] {
            let filter = vec![instruction(RETURN, 0, 0, 7)];
            let program = only_for(list.iter().copied(), HERE, filter).unwrap();
            for number in (0..2000).chain([0x4000_0000, 0x4000_0003, u32::MAX]) {
                let expected = if list.contains(&number.into()) { 7 } else { RETURN_ALLOW };
                assert_eq!(answer(&program, number), expected, "{number} of {list:?}");
                assert_eq!(answer_to(&program, HERE + 1, number), 7, "{number} of {list:?}");
            }
        }
    }

    #[test]
    fn exactly_the_calls_of_the_list_are_allowed() {
        let lists: [Vec<i64>; 5] = [
            Vec::new(),
            vec![0],
            vec![5, 3, 4, 9],
            (0..400).step_by(4).collect(),
            super::super::allowed().collect(),
        ];
        for list in lists {
            let program = compile(list.iter().copied(), 38).unwrap();
            for number in (0..2000).chain([0x3fff_ffff, 0x4000_0000, 0x4000_0003, u32::MAX]) {
                let allowed = list.contains(&number.into());
                let expected = if allowed { RETURN_ALLOW } else { RETURN_ERRNO | 38 };
                assert_eq!(answer(&program, number), expected, "{number} of {list:?}");
            }
        }
    }
}
