use std::collections::BTreeSet;

use super::*;
use crate::job::policy::{Command, Policy, Question};
use crate::job::{Grants, plan::Opening};

fn plan() -> Plan {
    let system = BTreeSet::from(["/usr".into()]);
    let question = Question { signer: "a", context: None, content_type: None, system: &system };
    let command = Command { path: "/bin/sh".into(), arguments: vec!["{}".into()] };
    Policy::none().plan(&question, &Grants::default(), Some(&command)).unwrap()
}

/// Each field alone makes another plan.
#[test]
fn every_field_is_in_the_digest() {
    let changes: [fn(&mut Plan); 14] = [
        |plan| plan.program.path = "/bin/ash".into(),
        |plan| plan.program.sha256 = Some([0; 32]),
        |plan| plan.program.arguments.push("x".into()),
        |plan| plan.program.arguments[0] = "sh".into(),
        |plan| plan.delivery = Delivery::Stdin,
        |plan| drop(plan.environment.insert("A".into(), "b".into())),
        |plan| {
            plan.system.insert("/opt".into());
        },
        |plan| {
            let opening = |writable| Opening { source: "/a".into(), target: "/b".into(), writable };
            plan.openings = [opening(true)].into();
        },
        |plan| {
            let opening = |writable| Opening { source: "/a".into(), target: "/b".into(), writable };
            plan.openings = [opening(false)].into();
        },
        |plan| {
            plan.ports.insert(443);
        },
        |plan| plan.limits.wall += std::time::Duration::from_millis(1),
        |plan| plan.limits.errors -= 1,
        |plan| plan.format = Format::Json,
        |plan| {
            plan.waived.insert(Layer::Seccomp);
        },
    ];
    let mut digests = BTreeSet::from([plan().digest()]);
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = plan();
        change(&mut changed);
        assert!(digests.insert(changed.digest()), "{index}");
    }
    for limit in Limit::ALL {
        let mut changed = plan();
        changed.lower(&Bounds::from([(limit, 1)]));
        assert!(digests.insert(changed.digest()), "{limit:?}");
    }
}

#[test]
fn the_encoding_is_cbor_and_the_same_each_time() {
    let encoded = plan().to_cbor();
    assert_eq!(encoded, plan().to_cbor());
    let mut decoder = crate::cbor::Decoder::new(&encoded);
    assert_eq!(decoder.skip().unwrap(), &encoded[..]);
    decoder.finish().unwrap();
}

#[test]
fn an_operator_lowers_and_never_raises() {
    let mut lowered = plan();
    lowered.lower(&Bounds::from([(Limit::Wall, 5), (Limit::Memory, u64::MAX)]));
    assert_eq!(lowered.limits.wall.as_millis(), 5);
    assert_eq!(lowered.limits.memory, plan().limits.memory);

    let mut held = plan();
    held.hold_to(Format::Json).unwrap();
    held.hold_to(Format::Json).unwrap();
    assert_eq!(held.format, Format::Json);
    let error = held.hold_to(Format::Cbor).unwrap_err();
    assert_eq!((error.reason(), held.format), ("format-mismatch", Format::Json));
    assert_eq!(held.hold_to(Format::Bytes).unwrap_err().reason(), "format-mismatch");
}
