use brine_core::{
    Class, Classified as _, ContextGlob, Evidence, SigningKey, Timestamp, TrustAnchors as _,
    VerifyingKey,
};
use brine_keys::{CertificateDraft, openssh_line};
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::*;
use crate::RevocationList;

const NOW: u64 = 1_800_000_000;

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([seed; 32]))
}

const CA: u8 = 1;
const ALICE: u8 = 2;
const CI: u8 = 3;
const STRANGER: u8 = 4;

/// What a certificate says, by default all that is needed.
#[derive(Clone)]
struct Says<'a> {
    key: u8,
    issuer: u8,
    names: &'a [&'a str],
    serial: u64,
    window: (u64, u64),
    contexts: Option<&'a str>,
    may_delegate: bool,
}

const SAYS: Says<'static> = Says {
    key: ALICE,
    issuer: CA,
    names: &["alice"],
    serial: 7,
    window: (NOW - 10, NOW + 10),
    contexts: None,
    may_delegate: false,
};

impl Says<'_> {
    fn issued(&self) -> Vec<u8> {
        let names: Vec<_> = self.names.iter().map(|&name| name.to_owned()).collect();
        let glob = |text| ContextGlob::parse(text).unwrap();
        let contexts: Option<Vec<_>> =
            self.contexts.map(|text| text.split(',').map(glob).collect());
        let draft = CertificateDraft {
            key: &key(self.key),
            nonce: [5; 32],
            serial: self.serial,
            key_id: "laptop",
            principals: &names,
            valid_after: self.window.0,
            valid_before: self.window.1,
            contexts: contexts.as_deref(),
            may_delegate: self.may_delegate,
        };
        draft.issue(&signing_key(self.issuer)).unwrap()
    }
}

fn trust(more: &str) -> Trust {
    let ca = openssh_line(signing_key(CA).verifying_key(), "");
    let text = format!(
        "[[authority]]\nname = 'team'\nkey = '{ca}'\nprincipals = ['alice', 'bob*', '!bobby']\n{more}"
    );
    Trust::parse(text.as_bytes(), &|| TimeZone::UTC).unwrap()
}

fn line(key: u8) -> String {
    openssh_line(signing_key(key).verifying_key(), "")
}

fn key(seed: u8) -> VerifyingKey {
    signing_key(seed).verifying_key().clone()
}

/// Who speaks for a key by certificates, or the reason why nobody does.
fn judged(
    trust: &Trust,
    key: u8,
    chain: &[Vec<u8>],
    ask: (Option<&str>, Option<&str>),
) -> Result<Signer, String> {
    let certificates = Certificates::new(chain).unwrap();
    let id = signing_key(key).verifying_key().id();
    let now = Timestamp::from_unix(NOW).unwrap();
    let question = Question { context: ask.1, signer: ask.0, now };
    // As an envelope is judged: first its key is found.
    if trust.key(id).is_none()
        && let Err(error) = trust.certified_key(&certificates)
    {
        return Err(error.reason().to_owned());
    }
    let evidence = Evidence::new(id, Some(certificates));
    trust.judge(&evidence, &question).map(std::borrow::Cow::into_owned).map_err(|error| {
        assert_eq!(error.class(), Class::Untrusted);
        error.reason().to_owned()
    })
}

fn reason(trust: &Trust, says: &Says<'_>) -> Option<String> {
    judged(trust, ALICE, &[says.issued()], (None, None)).err()
}

#[test]
fn an_authority_vouches_for_a_key_that_nobody_knew() {
    let chain = [Says { contexts: Some("jobs/*,release/1"), ..SAYS }.issued()];
    let found = judged(&trust(""), ALICE, &chain, (None, Some("jobs/a"))).unwrap();
    assert_eq!((found.name(), found.key()), ("alice", &key(ALICE)));
    let mut vouched = Vouched::by("team", key(CA).id(), "laptop");
    vouched.names = vec!["alice".to_owned()];
    vouched.serial = 7;
    vouched.expires = Timestamp::from_unix(NOW + 10);
    vouched.contexts = Some("jobs/*,release/1".to_owned());
    assert_eq!(found.vouched(), Some(&vouched));
    // Nobody is trusted by a certificate where no authority is.
    let id = key(ALICE).id();
    let nobody = Trust::default();
    assert_eq!(nobody.certified_key(&Certificates::new(&chain).unwrap()), Ok(None));
    let evidence = Evidence::new(id, Some(Certificates::new(&chain).unwrap()));
    let question =
        Question { context: None, signer: None, now: Timestamp::from_unix(NOW).unwrap() };
    assert_eq!(nobody.judge(&evidence, &question).unwrap_err().reason(), "authority-unknown");
}

/// Each breaks one rule.
#[test]
fn a_certificate_is_refused_by_the_rule_that_it_breaks() {
    let ours = trust("");
    assert_eq!(reason(&ours, &SAYS), None);
    let names = |names| Says { names, ..SAYS };
    for (says, expected) in [
        (Says { issuer: STRANGER, ..SAYS }, "authority-unknown"),
        (names(&[]), "certificate-no-principals"),
        (names(&["carol"]), "certificate-principals"),
        (names(&["bobby"]), "certificate-principals"),
        (names(&["alice/ci"]), "certificate-principals"),
        (Says { window: (NOW + 1, NOW + 9), ..SAYS }, "certificate-not-yet-valid"),
        (Says { window: (0, NOW), ..SAYS }, "certificate-expired"),
        (Says { contexts: Some("*"), ..SAYS }, "context-not-allowed"),
        (Says { contexts: Some(""), ..SAYS }, "context-not-allowed"),
        (Says { key: STRANGER, ..SAYS }, "certificate-other-key"),
    ] {
        assert_eq!(reason(&ours, &says).as_deref(), Some(expected), "{expected}");
    }
    assert_eq!(reason(&ours, &names(&["carol", "bobo"])), None);
    assert_eq!(reason(&ours, &Says { window: (NOW, NOW + 1), ..SAYS }), None);
}

#[test]
fn an_altered_certificate_does_not_verify() {
    let whole = SAYS.issued();
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        let reason = judged(&trust(""), ALICE, &[altered], (None, None)).err();
        let expected = [
            "certificate-signature-bad",
            "certificate-malformed",
            "certificate-key-unsupported",
            "authority-unknown",
        ];
        assert!(
            reason.as_deref().is_some_and(|found| expected.contains(&found)),
            "{at}: {reason:?}"
        );
    }
    for end in 1..whole.len() {
        let cut = judged(&trust(""), ALICE, &[whole[..end].to_vec()], (None, None)).err();
        assert_eq!(cut.as_deref(), Some("certificate-malformed"), "{end}");
    }
}

/// What is handed on only shrinks: name, contexts and times hold for the authority and the certificate alike.
#[test]
fn an_authority_gives_no_more_than_it_has() {
    let limited = trust("contexts = ['jobs/*']\n");
    let ask = |says: &Says<'_>, signer, context| {
        judged(&limited, ALICE, &[says.issued()], (signer, context)).err()
    };
    let wide = Says { contexts: Some("*,release/1"), ..SAYS };
    assert_eq!(ask(&SAYS, None, Some("jobs/a")), None);
    assert_eq!(ask(&SAYS, None, Some("release/1")).as_deref(), Some("context-not-allowed"));
    assert_eq!(ask(&wide, None, Some("release/1")).as_deref(), Some("context-not-allowed"));
    assert_eq!(ask(&wide, None, Some("jobs/a")).as_deref(), Some("context-not-allowed"));
    assert_eq!(ask(&SAYS, None, None).as_deref(), Some("context-not-allowed"));
    assert_eq!(ask(&SAYS, Some("alice"), Some("jobs/a")), None);
    assert_eq!(ask(&SAYS, Some("bob"), Some("jobs/a")).as_deref(), Some("wrong-signer"));
    // Of several names, those count for which the authority may vouch.
    let two = Says { names: &["carol", "bob", "alice"], ..SAYS };
    assert_eq!(ask(&two, Some("alice"), Some("jobs/a")), None);
    assert_eq!(ask(&two, Some("carol"), Some("jobs/a")).as_deref(), Some("wrong-signer"));
    let found = judged(&limited, ALICE, &[two.issued()], (None, Some("jobs/a"))).unwrap();
    assert_eq!(found.name(), "bob");

    let at = |seconds| Timestamp::from_unix(seconds).unwrap();
    for (limit, expected) in [
        (format!("not-after = {}\n", at(NOW)), "signer-too-late"),
        (format!("not-before = {}\n", at(NOW + 1)), "signer-too-early"),
        (format!("revoked-at = {}\n", at(NOW)), "signer-revoked"),
    ] {
        assert_eq!(reason(&trust(&limit), &SAYS).as_deref(), Some(expected));
    }
}

#[test]
fn what_is_revoked_vouches_for_nobody() {
    let by_key = |seed: u8| RevocationList::from([key(seed)]);
    for (list, expected) in [(by_key(CA), "certificate-revoked"), (by_key(ALICE), "signer-revoked")]
    {
        let mut ours = trust("");
        ours.revoke(list);
        assert_eq!(reason(&ours, &SAYS).as_deref(), Some(expected));
    }
    let stolen =
        format!("[[signer]]\nname='x'\nkey='{}'\nrevoked-at=2020-01-01T00:00:00Z\n", line(ALICE));
    assert_eq!(reason(&trust(&stolen), &SAYS).as_deref(), Some("signer-revoked"));
    // The keys of the same people as authorities, and the other way round.
    let twice = format!(
        "[[authority]]\nname='old'\nkey='{}'\nprincipals=['*']\nrevoked-at=2020-01-01T00:00:00Z\n",
        line(CA)
    );
    assert_eq!(reason(&trust(&twice), &SAYS).as_deref(), Some("signer-revoked"));
    // A key is revoked where it signs, though it is as an authority that the file revokes it.
    let signs = format!("{twice}[[signer]]\nname='ca'\nkey='{}'\n", line(CA));
    let says = Says { key: CA, ..SAYS };
    let found = judged(&trust(&signs), CA, &[says.issued()], (None, None));
    assert_eq!(found.unwrap_err(), "signer-revoked");
    // Whoever may speak, what is revoked stays so.
    for revoking in [stolen, twice] {
        let file = trust(&revoking);
        let authorities =
            file.authorities().iter().filter(|one| one.entry().revocation().is_none());
        let restricted = file.restricted_to([], authorities.cloned().collect::<Vec<_>>());
        assert_eq!(reason(&restricted, &SAYS).as_deref(), Some("signer-revoked"));
    }
}

/// A key that the file names is judged by what it says there, and certificates only add to that.
#[test]
fn own_entries_come_first() {
    let own =
        |limits: &str| trust(&format!("[[signer]]\nname='al'\nkey='{}'\n{limits}", line(ALICE)));
    let ask = |trust: &Trust, says: &Says<'_>, context| {
        judged(trust, ALICE, &[says.issued()], (None, context))
            .map(|signer| signer.name().to_owned())
    };
    let strange = Says { issuer: STRANGER, ..SAYS };
    assert_eq!(ask(&own(""), &SAYS, Some("x")).as_deref(), Ok("al"));
    assert_eq!(ask(&own(""), &strange, Some("x")).as_deref(), Ok("al"));
    assert_eq!(ask(&own("contexts=['a']"), &SAYS, Some("x")).as_deref(), Ok("alice"));
    assert_eq!(
        ask(&own("contexts=['a']"), &strange, Some("x")),
        Err("context-not-allowed".to_owned())
    );
}

/// A plain entry speaks for a key, and vouches for no other.
#[test]
fn a_signer_is_no_authority_and_an_authority_is_no_signer() {
    let alice =
        |more: &str| trust(&format!("[[signer]]\nname='alice'\nkey='{}'\n{more}", line(ALICE)));
    let ci = Says { key: CI, issuer: ALICE, names: &["alice/ci"], ..SAYS };
    let ask = |trust: &Trust, chain: &[Vec<u8>], context| {
        judged(trust, CI, chain, (None, context)).map(|signer| signer.name().to_owned())
    };
    let chain = [ci.issued()];
    assert_eq!(ask(&alice(""), &chain, None), Err("authority-unknown".to_owned()));
    assert_eq!(ask(&alice("may-issue=true"), &chain, None).as_deref(), Ok("alice/ci"));
    let scoped = alice("may-issue=true\ncontexts=['a/*']");
    assert_eq!(ask(&scoped, &chain, Some("a/b")).as_deref(), Ok("alice/ci"));
    assert_eq!(ask(&scoped, &chain, Some("b/b")), Err("context-not-allowed".to_owned()));
    for names in [&["bob"][..], &["alicex"], &["x/alice"]] {
        let other = [Says { names, ..ci.clone() }.issued()];
        assert_eq!(
            ask(&alice("may-issue=true"), &other, None),
            Err("certificate-principals".to_owned())
        );
    }
    // The authority itself signs nothing.
    let id = key(CA).id();
    assert_eq!(trust("").key(id), None);
}

#[test]
fn a_certified_key_hands_on_what_it_may_and_less() {
    let ours = trust("contexts=['jobs/*']");
    let alice = Says { may_delegate: true, contexts: Some("jobs/a,jobs/b"), ..SAYS };
    let ci = Says {
        key: CI,
        issuer: ALICE,
        names: &["alice/ci"],
        contexts: Some("jobs/b,jobs/c"),
        ..SAYS
    };
    let ask = |chain: &[&Says<'_>], context| {
        let chain: Vec<_> = chain.iter().map(|says| says.issued()).collect();
        judged(&ours, CI, &chain, (None, Some(context)))
    };
    let found = ask(&[&ci, &alice], "jobs/b").unwrap();
    assert_eq!(found.name(), "alice/ci");
    assert_eq!(found.vouched().unwrap().through, ["alice"]);
    for context in ["jobs/a", "jobs/c", "jobs/d"] {
        assert_eq!(ask(&[&ci, &alice], context).unwrap_err(), "context-not-allowed", "{context}");
    }
    for (chain, expected) in [
        ([&ci, &Says { may_delegate: false, ..alice.clone() }], "certificate-issuer"),
        ([&ci, &Says { window: (0, NOW), ..alice.clone() }], "certificate-expired"),
        ([&ci, &Says { issuer: STRANGER, ..alice.clone() }], "authority-unknown"),
        ([&ci, &Says { key: STRANGER, ..alice.clone() }], "authority-unknown"),
        ([&Says { names: &["bob"], ..ci.clone() }, &alice], "certificate-principals"),
        ([&Says { issuer: STRANGER, ..ci.clone() }, &alice], "authority-unknown"),
    ] {
        assert_eq!(ask(&chain, "jobs/b").unwrap_err(), expected);
    }
    assert_eq!(ask(&[&ci], "jobs/b").unwrap_err(), "authority-unknown");
    let third = Says { key: STRANGER, issuer: CI, names: &["alice/ci/x"], ..SAYS };
    let chain: Vec<_> =
        [&third, &Says { may_delegate: true, ..ci }, &alice].map(Says::issued).into();
    let found = judged(&ours, STRANGER, &chain, (None, Some("jobs/b"))).unwrap();
    assert_eq!(found.vouched().unwrap().through, ["alice", "alice/ci"]);
}

/// A pattern with `!` holds for whoever is handed on to, too.
#[test]
fn a_name_that_an_authority_excludes_is_handed_on_to_nobody() {
    let text = format!(
        "[[authority]]\nname='t'\nkey='{}'\nprincipals=['*', '!alice/root', '!*/admin']\n",
        line(CA)
    );
    let ours = Trust::parse(text.as_bytes(), &|| TimeZone::UTC).unwrap();
    let alice = Says { may_delegate: true, ..SAYS };
    let ask = |names: &[&str]| {
        let ci = Says { key: CI, issuer: ALICE, names, ..SAYS };
        judged(&ours, CI, &[ci.issued(), alice.issued()], (None, None))
            .map(|signer| signer.name().to_owned())
    };
    assert_eq!(ask(&["alice/ci"]).as_deref(), Ok("alice/ci"));
    assert_eq!(ask(&["alice/root"]), Err("certificate-principals".to_owned()));
    assert_eq!(ask(&["alice/x/admin"]), Err("certificate-principals".to_owned()));
    assert_eq!(ask(&["alice/root", "alice/ci"]).as_deref(), Ok("alice/ci"));
}

/// Whatever somebody's keys and names are, and whoever handed on to whom, is one person.
#[test]
fn nobody_is_two_persons() {
    let entries =
        |more: &str| trust(&format!("{more}\n[[rule]]\nrequire = 2\neach-certified = true\n"));
    let signer = |name: &str, key: u8, more: &str| {
        format!("[[signer]]\nname='{name}'\nkey='{}'\n{more}", line(key))
    };
    let plain = |name: &str, seed: u8| Signer::new(name, key(seed));
    let now = Timestamp::from_unix(NOW).unwrap();
    let count = |trust: &Trust, signers: &[&Signer]| {
        let question = Question { context: None, signer: None, now };
        (1..).take_while(|most| trust.judge_together(signers, *most, &question).is_ok()).count()
    };
    let certified = |trust: &Trust, key, chain: &[Says<'_>]| {
        let chain: Vec<_> = chain.iter().map(Says::issued).collect();
        judged(trust, key, &chain, (None, None)).unwrap()
    };
    // A key that the file gives another name.
    let two_names =
        entries(&(signer("alice", ALICE, "") + &signer("al", ALICE, "") + &signer("al", CI, "")));
    assert_eq!(count(&two_names, &[&plain("alice", ALICE), &plain("al", CI)]), 0);
    assert_eq!(count(&two_names, &[&plain("alice", ALICE), &plain("bob", STRANGER)]), 2);
    // A certificate in two names, of which one is somebody's.
    let named = entries(&signer("bob", STRANGER, ""));
    let both = certified(&named, ALICE, &[Says { names: &["alice", "bob"], ..SAYS }]);
    assert_eq!(both.name(), "alice");
    assert_eq!(count(&named, &[&both, &plain("bob", STRANGER)]), 0);
    // Whoever somebody with two names handed on to: each by one of them.
    let handing = Says { names: &["alice", "bob"], may_delegate: true, ..SAYS };
    let to = |key, names| Says { key, issuer: ALICE, names, ..SAYS };
    let ours = entries("");
    let one = certified(&ours, CI, &[to(CI, &["alice/ci"]), handing.clone()]);
    let other = certified(&ours, STRANGER, &[to(STRANGER, &["bob/ci"]), handing]);
    assert_eq!(count(&ours, &[&one, &other]), 0);
    // Whoever issues by an entry of the file, under another of its names.
    let issuing = entries(&(signer("alice", ALICE, "may-issue=true\n") + &signer("al", ALICE, "")));
    let handed = certified(&issuing, CI, &[to(CI, &["alice/ci"])]);
    assert_eq!(count(&issuing, &[&handed, &plain("al", ALICE)]), 0);
}
