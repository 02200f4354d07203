//! `brine run --format arrow` and `parquet`: output is a whole table, or stays inside. Without the feature `columnar`,
//! nothing runs whose output would have to be one.

use serde_json::Value;

use crate::common::{Person, project};

/// Somebody with a job that writes its payload, which is this.
fn with_output(bytes: &[u8], grants: &str) -> Person {
    let person = Person::with_key();
    person.write("output", bytes);
    let signed =
        person.shell(&format!("brine sign --job {grants} output -o job")).output().unwrap();
    assert!(signed.status.success(), "{signed:?}");
    person
}

fn table(name: &str) -> Vec<u8> {
    std::fs::read(project("fixtures/columnar").join(name)).unwrap()
}

/// Types a line, and returns its standard output, its status, and the verdict.
fn typed(person: &Person, line: &str) -> (Vec<u8>, i32, Value) {
    let output = person.shell(line).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let verdict = serde_json::from_str(text.lines().last().unwrap_or_default());
    let verdict = verdict.unwrap_or_else(|_| panic!("{line}: {output:?}"));
    (output.stdout, output.status.code().unwrap(), verdict)
}

/// From the command line, and from the signer.
const POLICY: &str = "[[allow]]\nsigners = [\"default\"]\n";

#[cfg(not(feature = "columnar"))]
#[test]
fn a_table_is_refused_where_nothing_can_read_it() {
    for format in ["arrow", "parquet"] {
        let asked = with_output(&table("stream-plain.arrow"), "");
        let declared = with_output(&table("none.parquet"), &format!("--grant format={format}"));
        declared.write("policy.toml", POLICY);
        for (person, line) in [
            (asked, format!("brine run --json --format {format} job -- cat")),
            (declared, "brine run --json --policy ./policy.toml job -- cat".to_owned()),
        ] {
            let (output, status, verdict) = typed(&person, &line);
            assert_eq!((output.as_slice(), status), (&b""[..], 3), "{verdict}");
            assert_eq!(verdict["reason"], "columnar-absent");
            let said = verdict["message"].as_str().unwrap();
            assert!(said.contains("the feature columnar"), "{said}");
            let hint = person.shell(&line.replace("--json ", "")).output().unwrap().stderr;
            let hint = String::from_utf8(hint).unwrap();
            assert!(hint.contains("build brine with --features columnar"), "{hint}");
        }
    }
}

#[cfg(feature = "columnar")]
mod read {
    use super::*;

    #[test]
    fn a_table_comes_out_as_it_is() {
        for (format, name) in [
            ("arrow", "stream-plain.arrow"),
            ("arrow", "file-zstd.arrow"),
            ("arrow", "stream-lz4.arrow"),
            ("parquet", "snappy.parquet"),
            ("parquet", "zstd.parquet"),
        ] {
            let bytes = table(name);
            let person = with_output(&bytes, "");
            let line = format!("brine run --json --format {format} job -- cat");
            let (output, status, verdict) = typed(&person, &line);
            assert_eq!(status, 0, "{name}: {verdict}");
            assert!(output == bytes, "{name}");
            let person = with_output(&bytes, &format!("--grant format={format}"));
            person.write("policy.toml", POLICY);
            let (output, status, verdict) =
                typed(&person, "brine run --json --policy ./policy.toml job -- cat");
            assert_eq!(status, 0, "{name}: {verdict}");
            assert!(output == bytes, "{name}");
        }
    }

    /// Says of output why it is refused.
    #[track_caller]
    fn refused(bytes: &[u8], format: &str, limits: &str) -> (String, String) {
        let person = with_output(bytes, "");
        let line = format!("brine run --json --format {format} {limits} job -- cat");
        let (output, status, verdict) = typed(&person, &line);
        assert_eq!((output.as_slice(), status), (&b""[..], 123), "{verdict}");
        assert_eq!(verdict["outcome"], "invalid-output");
        let said = |name: &str| verdict["output_error"][name].as_str().unwrap().to_owned();
        (said("reason"), said("message"))
    }

    #[test]
    fn what_is_no_whole_table_stays_inside() {
        let (stream, parquet) = (table("stream-plain.arrow"), table("none.parquet"));
        let cut = |bytes: &[u8]| bytes[..bytes.len() - 8].to_vec();
        let longer = |bytes: &[u8]| [bytes, b"\n"].concat();
        for (bytes, format, said) in [
            (cut(&stream), "arrow", "it is cut"),
            (longer(&stream), "arrow", "other bytes follow its end at byte 3088"),
            (cut(&parquet), "parquet", "it does not end with its footer"),
            (longer(&parquet), "parquet", "it does not end with its footer"),
            (stream.clone(), "parquet", "it does not begin as its format does"),
            (table("zeros-batches.arrow"), "arrow", "its content is over"),
        ] {
            let (reason, message) = refused(&bytes, format, "");
            assert_eq!(reason, format!("output-not-{format}"), "{message}");
            assert!(message.starts_with(&format!("output is not {format}: {said}")), "{message}");
        }
    }

    /// A batch or a page that is larger than what the reader may hold.
    #[test]
    fn a_reader_without_memory_believes_nothing() {
        for (format, name) in [("arrow", "zeros-batch.arrow"), ("parquet", "zeros-page.parquet")] {
            let (reason, message) = refused(&table(name), format, "--limit memory=16MiB");
            assert_eq!(reason, "output-reader-out-of-memory", "{message}");
        }
    }

    /// Returns a good table that is cut, and altered in one place: places all over it, and each at both ends.
    fn hostile(good: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> {
        let cut = (0..good.len()).step_by(good.len() / 23);
        let cut = cut.map(|length| (format!("cut to {length}"), good[..length].to_vec()));
        let flipped = (0..good.len() * 8).step_by(good.len() * 8 / 101).map(|bit| {
            let mut bytes = good.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            (format!("bit {bit} flipped"), bytes)
        });
        // The ends have most of what says where the rest lies.
        let ends = (0..12).chain(good.len() - 24..good.len()).map(|at| {
            let mut bytes = good.to_vec();
            bytes[at] = 0xff;
            (format!("byte {at} is 255"), bytes)
        });
        cut.chain(flipped).chain(ends)
    }

    /// Output that was altered comes out as the job wrote it, or stays inside for a reason with a name.
    #[track_caller]
    fn held_to_its_format(format: &str, name: &str) {
        let person = with_output(b"", "");
        let good = table(name);
        let line = format!(
            "brine run --json --format {format} --limit wall=20s --input altered job -- cat /dev/stdin"
        );
        let own = format!("output-not-{format}");
        let (mut accepted, mut refused) = (0, 0);
        for (what, bytes) in hostile(&good) {
            person.write("altered", &bytes);
            let (output, status, verdict) = typed(&person, &line);
            if status == 0 {
                assert!(output == bytes, "{name}: {what}");
                accepted += 1;
                continue;
            }
            assert_eq!((output.as_slice(), status), (&b""[..], 123), "{name}: {what}: {verdict}");
            assert_eq!(verdict["outcome"], "invalid-output", "{name}: {what}");
            let error = &verdict["output_error"];
            let reason = error["reason"].as_str().unwrap();
            let of_reader = ["output-reader-panicked", "output-reader-out-of-memory"];
            assert!(reason == own || of_reader.contains(&reason), "{name}: {what}: {error}");
            assert_ne!(error["message"], "", "{name}: {what}");
            refused += 1;
        }
        let both = accepted > 0 && refused > 100;
        assert!(both, "{name}: {accepted} accepted, {refused} refused");
    }

    #[test]
    fn an_altered_stream_of_arrow_is_whole_or_refused() {
        held_to_its_format("arrow", "stream-lz4.arrow");
    }

    #[test]
    fn an_altered_file_of_arrow_is_whole_or_refused() {
        held_to_its_format("arrow", "file-plain.arrow");
    }

    #[test]
    fn an_altered_file_of_parquet_is_whole_or_refused() {
        held_to_its_format("parquet", "snappy.parquet");
    }
}
