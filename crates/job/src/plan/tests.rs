use std::collections::BTreeSet;

use brine_core::Classified as _;

use super::*;
use crate::policy::{OperatorCommand, Policy, PolicyQuestion};
use crate::{Grants, Limit};

fn plan() -> Plan {
    let system = BTreeSet::from(["/usr".into()]);
    let question =
        PolicyQuestion { signer: "a", context: None, content_type: None, system: &system };
    let command = OperatorCommand { path: "/bin/sh".into(), arguments: vec!["{}".into()] };
    Policy::none().plan(&question, &Grants::default(), Some(&command)).unwrap().plan
}

/// A change of each part alone makes another digest.
#[test]
fn every_part_is_in_the_digest() {
    let changes: [fn(&mut PlanParts); 15] = [
        |plan| plan.program.path = "/bin/ash".into(),
        |plan| plan.program.sha256 = Some([0; 32]),
        |plan| plan.program.arguments.push("x".into()),
        |plan| plan.program.arguments[0] = "sh".into(),
        |plan| plan.delivery = PayloadDelivery::Stdin,
        |plan| drop(plan.environment.insert("A".into(), "b".into())),
        |plan| {
            plan.system.insert("/opt".into());
        },
        |plan| {
            let opening =
                |writable| GrantedPath { source: "/a".into(), target: "/b".into(), writable };
            plan.granted_paths = [opening(true)].into();
        },
        |plan| {
            let opening =
                |writable| GrantedPath { source: "/a".into(), target: "/b".into(), writable };
            plan.granted_paths = [opening(false)].into();
        },
        |plan| {
            plan.ports.insert(443);
        },
        |plan| plan.limits.wall += std::time::Duration::from_millis(1),
        |plan| plan.limits.errors -= 1,
        |plan| plan.format = OutputFormat::Json,
        |plan| plan.exec_scratch = true,
        |plan| {
            plan.waived.insert(Layer::Seccomp);
        },
    ];
    let mut digests = BTreeSet::from([plan().digest()]);
    for (index, change) in changes.into_iter().enumerate() {
        let mut changed = plan();
        change(&mut changed.parts);
        assert!(digests.insert(changed.digest()), "{index}");
    }
    for limit in Limit::ALL {
        let mut changed = plan();
        changed.lower(&LimitValues::from([(limit, 1)]));
        assert!(digests.insert(changed.digest()), "{limit:?}");
    }
}

#[test]
fn the_encoding_is_cbor_and_the_same_each_time() {
    let encoded = plan().to_cbor();
    assert_eq!(encoded, plan().to_cbor());
    let mut decoder = brine_core::cbor::Decoder::new(&encoded);
    assert_eq!(decoder.skip().unwrap(), &encoded[..]);
    decoder.finish().unwrap();
}

#[test]
fn an_operator_lowers_and_never_raises() {
    let mut lowered = plan();
    lowered.lower(&LimitValues::from([(Limit::Wall, 5), (Limit::Memory, u64::MAX)]));
    assert_eq!(lowered.parts.limits.wall.as_millis(), 5);
    assert_eq!(lowered.parts.limits.memory, plan().parts.limits.memory);

    let mut held = plan();
    held.require_format(OutputFormat::Json).unwrap();
    held.require_format(OutputFormat::Json).unwrap();
    assert_eq!(held.parts.format, OutputFormat::Json);
    let error = held.require_format(OutputFormat::Cbor).unwrap_err();
    assert_eq!((error.reason(), held.parts.format), ("format-mismatch", OutputFormat::Json));
    assert_eq!(held.require_format(OutputFormat::Bytes).unwrap_err().reason(), "format-mismatch");
}

/// A schema narrows JSON, and nothing else.
#[cfg(feature = "json-schema")]
#[test]
fn a_schema_is_in_the_digest_and_replaced_by_no_other() {
    let schema = |text: &str| JsonSchema::read(text.as_bytes()).unwrap();
    let mut held = plan();
    held.require_schema(schema("{}")).unwrap();
    held.require_schema(schema("{}")).unwrap();
    held.require_format(OutputFormat::Json).unwrap();
    assert_eq!(held.parts.format_name(), format!("json-schema:{}", hex(schema("{}").digest())));
    assert!(held.parts.check_output(&mut &b"no json"[..]).is_err());
    for refused in [held.require_schema(schema("true")), held.require_format(OutputFormat::Cbor)] {
        assert_eq!(refused.unwrap_err().reason(), "format-mismatch");
    }
    let mut json = plan();
    json.require_format(OutputFormat::Json).unwrap();
    let mut other = json.clone();
    other.require_schema(schema("true")).unwrap();
    let digests = BTreeSet::from([held.digest(), json.digest(), other.digest()]);
    assert_eq!(digests.len(), 3);
    let mut text = plan();
    text.require_format(OutputFormat::Utf8).unwrap();
    assert_eq!(text.require_schema(schema("{}")).unwrap_err().reason(), "format-mismatch");
}

#[test]
fn directories_that_the_operator_shows_come_once() {
    let mut shown = plan();
    shown.show(["/opt/a/lib", "/opt/a", "/usr/lib", "/opt/a/bin"].map(Into::into));
    assert_eq!(shown.parts.system, BTreeSet::from(["/usr".into(), "/opt/a".into()]));
    assert_ne!(shown.digest(), plan().digest());
}
