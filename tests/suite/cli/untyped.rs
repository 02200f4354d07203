//! What other COSE software signs, and what a signature does not say: types, tags, key ids and dates.

use brine_core::cbor::Encoder;
use brine_core::cose::ToBeSigned;

use crate::common::{Person, assert_refused, key, public_line};

/// An envelope with this protected header, signed by the key of this byte.
fn signed(header: &[u8], by: u8) -> Vec<u8> {
    let signature = key(by).sign(&ToBeSigned::new(header, &[], b"payload").parts());
    let mut envelope = Encoder::new();
    envelope.tag(18).array(4).bytes(header).map(0).bytes(b"payload").bytes(&signature);
    envelope.into_bytes()
}

/// The header of a token for another service, which has expired.
fn token() -> Vec<u8> {
    let mut header = Encoder::new();
    header.map(2).int(1).int(-8).int(15);
    header.map(4).int(1).text("https://idp").int(3).text("other-service").int(4).int(1000);
    header.int(6).int(900);
    header.into_bytes()
}

#[test]
fn a_token_for_somebody_else_is_not_data() {
    let person = Person::new();
    person.write("key.pub", public_line(&key(1)));
    person.write("token", signed(&token(), 1));
    let verify = |options: &str| {
        person.shell(&format!("brine verify -p ./key.pub {options} token")).output().unwrap()
    };
    for options in ["", "--context other-service", "--typ application/cwt", "--max-age 1d"] {
        let output = verify(options);
        assert_refused(&output, 3, "envelope has no type: its signature does not say what it is");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("brine: hint: if \"brine sign --plain\" or other COSE software"),
            "{said}"
        );
        assert!(said.contains("--untyped"), "{said}");
    }
    // Where it is taken, nothing that it says is forgotten.
    assert_refused(&verify("--untyped"), 5, "is for context \"other-service\"");
    assert_refused(&verify("--untyped --context other-service"), 5, "signature expired");
    let output = verify("--untyped --context other-service --now 1970-01-01T00:16:40Z --json");
    assert_eq!(output.stdout, b"payload", "{output:?}");
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&verdict["kind"], &verdict["typ"]), (&"untyped".into(), &().into()));
    // A job says that it is one.
    let output = person.shell("brine run -p ./key.pub token -- /bin/true").output().unwrap();
    assert_refused(&output, 3, "this is an envelope without a type, not a job");
}

/// Embedded, beside its content, a digest of it, or a record: nothing takes it for what it does not say that it is.
#[test]
fn plain_envelopes_are_taken_where_that_is_asked_for() {
    let person = Person::with_key();
    person.write("in", "payload");
    person.write("lines", "one\ntwo\n");
    let made = "brine sign --plain in > plain && brine sign -d --plain in && \
        brine sign --lines --plain < lines > records";
    assert!(person.shell(made).output().unwrap().status.success());
    for (line, released) in [
        ("brine verify plain", "payload"),
        ("brine verify --check plain", ""),
        ("brine verify --whole < plain", "payload"),
        ("brine verify --signature in.sig in", "in: OK\n"),
        ("brine verify -q -d in", ""),
        ("brine verify --lines records", "one\ntwo\n"),
    ] {
        let output = person.shell(line).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{line}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let listed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!((said.clone() + &listed).contains("envelope has no type"), "{line}: {output:?}");
        assert!(!listed.contains("payload") && !listed.contains("one"), "{line}: {output:?}");
        let output = person.shell(&line.replace("verify", "verify --untyped")).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), released, "{line}");
    }
}

#[test]
fn no_type_of_brines_own_can_be_named_and_none_at_all_is_an_option_of_its_own() {
    let person = Person::with_key();
    let own = "that is a type of brine's own";
    for (typ, expected) in [
        ("application/vnd.brine.job+cose", own),
        ("APPLICATION/vnd.Brine.segment+cose", own),
        ("application/vnd.brine.data+cose;v=2", own),
        ("application/vnd.brine.anything", own),
        ("", "--untyped takes what has none"),
        (" ", "--untyped takes what has none"),
    ] {
        let output = person.brine(["verify", "--typ", typ]).write_stdin("").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{typ}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn outer_tags_are_named_and_taken_where_that_is_asked_for() {
    let person = Person::with_key();
    let envelope = person.sign([], b"x");
    for (tags, name) in [
        (&b"\xd8\x3d"[..], "envelope is wrapped as a CBOR Web Token"),
        (b"\xd9\xd9\xf7", "envelope is wrapped as self-described CBOR"),
        (b"\xd9\xd9\xf7\xd8\x3d", "envelope is wrapped as self-described CBOR"),
    ] {
        let tagged = [tags, &envelope].concat();
        let output = person.brine(["verify"]).write_stdin(tagged.clone()).output().unwrap();
        assert_refused(&output, 3, name);
        assert!(String::from_utf8(output.stderr).unwrap().contains("--outer-tags"));
        let output =
            person.brine(["verify", "--outer-tags"]).write_stdin(tagged.clone()).output().unwrap();
        assert_eq!(output.stdout, b"x", "{output:?}");
        let output = person.brine(["inspect"]).write_stdin(tagged).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains("\nkind          data\n"));
    }
}

/// The keys that are named come first, in their order, and no more are tried than were asked for.
#[test]
fn keys_that_are_not_named_are_tried_up_to_a_bound() {
    let person = Person::new();
    person.write("envelope", signed(b"\xa1\x01\x27", 1));
    let crowd = |count: u8| (2..2 + count).map(|byte| public_line(&key(byte)));
    let verify = |lines: Vec<String>, more: &[&str]| {
        let mut command = person.brine(["verify", "--untyped", "envelope"]);
        command.args(lines.iter().flat_map(|line| ["-p", line]));
        command.args(more).output().unwrap()
    };
    let own = || [public_line(&key(1))];
    let last = |count: u8| crowd(count).chain(own()).collect::<Vec<_>>();
    assert_eq!(verify(last(15), &[]).stdout, b"payload");
    let output = verify(last(16), &[]);
    assert_refused(&output, 5, "names no trusted key, and none of the 16 of 17 that were tried");
    assert!(String::from_utf8(output.stderr).unwrap().contains("\"--try-keys N\" tries more"));
    assert_eq!(verify(last(16), &["--try-keys", "17"]).stdout, b"payload");
    assert_refused(&verify(last(3), &["--try-keys", "3"]), 5, "none of the 3 of 4");
    // The same in a trust file; -p names whom to try first, and nobody else.
    let file: Vec<_> = last(40).iter().map(|line| format!("somebody {line}\n")).collect();
    person.write("allowed_signers", file.concat());
    let trust = ["--trust", "allowed_signers"];
    assert_refused(&verify(Vec::new(), &trust), 5, "none of the 16 of 41 that were tried");
    assert_eq!(verify(own().to_vec(), &trust).stdout, b"payload");
    assert_eq!(
        verify(Vec::new(), &[&trust[..], &["--try-keys", "41"]].concat()).stdout,
        b"payload"
    );
}

#[test]
fn dates_are_numbers_as_tokens_have_them() {
    let person = Person::new();
    person.write("key.pub", public_line(&key(1)));
    for (date, outcome) in [
        (&b"\xfb\x42\x4d\x7f\xfa\x20\xbf\xff\xff"[..], Ok(())), // the last moment of 9999
        (b"\xfa\x44\x7a\x00\x00", Err("expired")),              // 1000.0
        (b"\xf9\x7e\x00", Err("claim-date")),                   // NaN
        (b"\xc1\x1a\xff\xff\xff\xff", Err("claim-date")),       // inside tag 1
    ] {
        let header = [b"\xa2\x01\x27\x0f\xa1\x04", date].concat();
        person.write("envelope", signed(&header, 1));
        let line = "brine verify --json --untyped -p ./key.pub envelope";
        let output = person.shell(line).output().unwrap();
        let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        match outcome {
            Ok(()) => assert_eq!(output.stdout, b"payload", "{verdict}"),
            // Its signature is good: it is not altered.
            Err(reason) => assert_eq!(
                (output.status.code(), &verdict["reason"]),
                (Some(5), &reason.into()),
                "{verdict}"
            ),
        }
    }
    let output = person.shell("brine inspect envelope").output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.contains("\"brine verify\" will refuse it: claim exp is not a date"), "{page}");
}

/// Under somebody else's type, the number of a sequence is no sequence: it names no record, and is shown as a number.
#[test]
fn private_numbers_of_others_mean_nothing_here() {
    let person = Person::new();
    person.write("key.pub", public_line(&key(1)));
    let mut header = Encoder::new();
    header.map(4).int(1).int(-8).int(15).map(1).int(7).bytes(b"cti");
    header.int(16).text("application/example+cose");
    header.int(-70_004).array(3).int(1).bytes(&[7; 16]).int(5);
    person.write("theirs", signed(header.as_bytes(), 1));
    let line = "brine verify -p ./key.pub --typ Application/Example+COSE theirs";
    let output = person.shell(line).output().unwrap();
    assert_eq!(output.stdout, b"payload", "{output:?}");
    let shown = person.shell("brine inspect --json theirs").output().unwrap().stdout;
    let shown: serde_json::Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(shown["sequence"], serde_json::Value::Null);
    let label = shown["protected"].as_array().unwrap().last().unwrap();
    assert_eq!((&label["label"], &label["name"]), (&(-70_004).into(), &().into()));
    // What counts records does not count it by a number that means something else.
    let line = "brine replay init --accept-older db && \
        base64 -w 0 theirs | tr -d = | tr +/ -_ > records && echo >> records && \
        brine verify --lines --typ application/example+cose -p ./key.pub --replay-db db records";
    let output = person.shell(line).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("neither a sequence nor an expiry"));
}
