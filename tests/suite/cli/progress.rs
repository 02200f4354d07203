//! Progress, at the terminals that `script` plays.

use super::terminal::sent_to_terminal;
use crate::common::Person;

/// Two seconds and a half of input.
const SLOWLY: &str = "for i in 1 2 3 4 5; do head -c 1000000 /dev/zero; sleep 0.5; done";

/// The lines of progress that a terminal got, one for each time that it was drawn.
fn drawn(sent: &str) -> Vec<&str> {
    sent.split(['\r', '\n']).filter(|line| line.contains("MiB")).collect()
}

#[test]
fn the_line_of_progress_fits_the_terminal_and_goes_at_the_end() {
    let person = Person::with_key();
    for columns in [12, 40, 200] {
        let line = format!("stty cols {columns}; ({SLOWLY}) | TERM=xterm brine sign > stream");
        let sent = sent_to_terminal(&person, &line, "");
        let lines = drawn(&sent);
        assert!(!lines.is_empty(), "{columns}: {sent:?}");
        for line in lines {
            let line = line.strip_suffix("\x1b[K").unwrap_or_else(|| panic!("{line:?}"));
            assert!(line.chars().count() < columns, "{columns}: {line:?}");
        }
        assert!(sent.ends_with("\r\x1b[K") && !sent.contains('\n'), "{columns}: {sent:?}");
    }
    // A signal and an error take it away, too.
    let signal = "timeout --foreground -s INT 3.2 brine sign > stream";
    let error = "brine verify > out";
    person.shell("head -c 5000000 /dev/zero | brine sign -o good").assert().success();
    let cut = "head -c 2500000 good; sleep 2; tail -c +2500001 good | head -c 2000000; sleep 0.5";
    let long = format!("{SLOWLY}; {SLOWLY}");
    for (input, reader, end) in [(long.as_str(), signal, ""), (cut, error, "\n")] {
        let line = format!("export TERM=xterm; ({input}) | {reader}");
        let sent = sent_to_terminal(&person, &line, "");
        let (_, after) = sent.rsplit_once("MiB").unwrap_or_else(|| panic!("{sent:?}"));
        assert!(after.contains("\r\x1b[K") && after.ends_with(end), "{sent:?}");
    }
}

/// A lock on the terminal, a program that is known to draw, the background, and a terminal that takes no control sequences.
#[test]
fn who_has_a_neighbour_that_draws_keeps_still() {
    let person = Person::with_key();
    person.shell("cp \"$(command -v sleep)\" curl").assert().success();
    person.write("slowly", SLOWLY);
    person.write("sign", "export TERM=xterm; sh slowly | brine sign > stream");
    for (line, expected) in [
        ("sh sign", true),
        ("flock \"$(tty)\" sh sign", false),
        ("./curl 3 & sh sign; wait", false),
        ("set -m; sh sign & wait", false),
        ("sed -i s/xterm/dumb/ sign; sh sign", false),
    ] {
        let sent = sent_to_terminal(&person, line, "");
        assert_eq!(!drawn(&sent).is_empty(), expected, "{line}: {sent:?}");
    }
}
