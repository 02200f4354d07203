//! What a job asks for has one encoding and comes back as it is typed; a policy is read without a panic,
//! and never gives a job more than it asks for; a verdict on output does not hang on how it comes.

#![no_main]

use std::io::Read;

use brine_job::{Grants, OperatorCommand, OutputFormat, Policy, PolicyQuestion};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let grants = Grants::decode(input).ok();
    if let Some(grants) = &grants {
        comes_back(grants, input);
    }
    if let Ok(policy) = Policy::parse(input) {
        plans(&policy, &grants.unwrap_or_default());
    }
    for format in OutputFormat::ALL {
        let whole = format.check(&mut &input[..]).map_err(|error| error.to_string());
        let slowly = format.check(&mut Slowly(input)).map_err(|error| error.to_string());
        assert_eq!(whole, slowly, "{format:?}");
    }
});

fn comes_back(grants: &Grants, input: &[u8]) {
    assert_eq!(grants.encode().as_deref(), Some(input));
    let typed = grants.iter().map(|grant| {
        let text = grant.to_string();
        assert_eq!(text.parse().as_ref(), Ok(&grant), "{text}");
        grant
    });
    assert_eq!(Grants::collect(typed).as_ref(), Ok(grants));
}

fn plans(policy: &Policy, grants: &Grants) {
    let system = Default::default();
    let command = OperatorCommand { path: "/bin/cat".into(), arguments: Vec::new() };
    let command = grants.run().is_none().then_some(&command);
    for signer in policy.entries().iter().flat_map(|entry| entry.signers()) {
        let question =
            PolicyQuestion { signer, context: None, content_type: None, system: &system };
        let Ok(permit) = policy.plan(&question, grants, command) else { continue };
        let parts = permit.plan.parts();
        assert!(parts.ports.is_subset(grants.ports()));
        assert_eq!(parts.granted_paths.len(), grants.read().len() + grants.write().len());
        let values = parts.limits.values();
        assert!(grants.limits().iter().all(|(limit, asked)| values[limit] <= *asked));
    }
}

/// Three bytes at a time.
struct Slowly<'a>(&'a [u8]);

impl Read for Slowly<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let count = room.len().min(3);
        self.0.read(&mut room[..count])
    }
}
