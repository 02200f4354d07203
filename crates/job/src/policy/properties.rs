//! Properties of every plan.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::entry::{AllowedArguments, Interpreter};
use super::*;
use crate::limits::Limit;
use crate::names::VariableName;

fn system() -> BTreeSet<PathBuf> {
    BTreeSet::from(["/usr".into()])
}

/// What either side can say, from so few values that the sides often agree.
#[derive(Clone, Debug)]
struct OneSide {
    interpreters: Vec<&'static str>,
    arguments: Vec<&'static str>,
    environment: Vec<&'static str>,
    ports: BTreeSet<u16>,
    read: Vec<&'static str>,
    write: Vec<&'static str>,
    limits: BTreeMap<Limit, u64>,
    formats: Vec<OutputFormat>,
}

fn one_side() -> impl Strategy<Value = OneSide> {
    let limits = proptest::collection::btree_map(
        subsequence(vec![Limit::Wall, Limit::Cpu, Limit::Memory, Limit::Files], 1)
            .prop_map(|limits| limits[0]),
        1..200_000_u64,
        0..4,
    );
    (
        subsequence(vec!["sh", "python3"], 0..=2),
        vec(prop_oneof![Just("-I"), Just("{}"), Just("-")], 0..3),
        subsequence(vec!["A", "B", "C"], 0..=3),
        btree_set(1..4_u16, 0..4),
        subsequence(vec!["a", "b/x", "c"], 0..=3),
        subsequence(vec!["a", "d", "e/y"], 0..=3),
        limits,
        subsequence(OutputFormat::ALL.to_vec(), 0..=7).prop_shuffle(),
    )
        .prop_map(
            |(interpreters, arguments, environment, ports, read, write, limits, formats)| OneSide {
                interpreters,
                arguments,
                environment,
                ports,
                read,
                write,
                limits,
                formats,
            },
        )
}

impl OneSide {
    /// As a signer requests it.
    fn asked(&self) -> Grants {
        let mut all = Vec::new();
        if let Some(alias) = self.interpreters.first() {
            all.push(format!("run={alias}"));
            all.extend(self.arguments.iter().map(|argument| format!("arg={argument}")));
        }
        all.extend(self.environment.iter().map(|name| format!("env={name}")));
        all.extend(self.ports.iter().map(|port| format!("tcp={port}")));
        all.extend(self.read_only().iter().map(|path| format!("read={path}")));
        all.extend(self.write.iter().map(|path| format!("write={path}")));
        let limits = self.limits.iter();
        all.extend(limits.map(|(limit, value)| format!("{}={}", limit.name(), limit.show(*value))));
        all.extend(self.formats.first().map(|format| format!("format={}", format.name())));
        Grants::collect(all.iter().map(|text| text.parse().unwrap())).unwrap()
    }

    /// As an operator allows it.
    fn allowed(&self) -> PolicyTerms {
        let roots = |paths: &[&str]| {
            let root = |path: &&str| path.split('/').next().unwrap().to_owned();
            Some(paths.iter().map(|path| (root(path), Path::new("/r").join(root(path)))).collect())
        };
        let interpreter = |alias: &&str| Interpreter {
            path: format!("/bin/{alias}").into(),
            sha256: None,
            arguments: vec![AllowedArguments {
                first: self.arguments.iter().map(|text| (*text).to_owned()).collect(),
                and_any: true,
            }],
        };
        PolicyTerms {
            interpreters: Some(
                self.interpreters
                    .iter()
                    .map(|alias| (InterpreterAlias::parse(alias).unwrap(), interpreter(alias)))
                    .collect(),
            ),
            read: roots(&self.read_only()),
            write: roots(&self.write),
            environment: Some(
                self.environment
                    .iter()
                    .map(|name| (VariableName::parse(name).unwrap(), (*name).to_owned()))
                    .collect(),
            ),
            ports: Some(self.ports.clone()),
            powers: None,
            replies: None,
            limits: self.limits.clone(),
            formats: (!self.formats.is_empty()).then(|| self.formats.clone()),
            json_schema: None,
            pickle_imports: None,
            system: None,
            exec_scratch: None,
        }
    }

    /// All of this, and all of `more`. The larger limits count.
    fn and(&self, more: &Self) -> Self {
        let mut all = self.clone();
        let add = |all: &mut Vec<&'static str>, more: &[&'static str]| {
            for text in more {
                if !all.contains(text) {
                    all.push(text);
                }
            }
        };
        add(&mut all.interpreters, &more.interpreters);
        add(&mut all.environment, &more.environment);
        add(&mut all.read, &more.read);
        add(&mut all.write, &more.write);
        all.ports.extend(&more.ports);
        for (limit, value) in &more.limits {
            let now = all.limits.get(limit).copied().unwrap_or(limit.default_value());
            all.limits.insert(*limit, now.max(*value));
        }
        // A policy without a list allows every format.
        if !self.formats.is_empty() {
            all.formats.extend(more.formats.iter().filter(|format| !self.formats.contains(format)));
        }
        all
    }

    /// The paths that are only read.
    fn read_only(&self) -> Vec<&'static str> {
        self.read.iter().filter(|path| !self.write.contains(path)).copied().collect()
    }
}

fn plan_of(asked: &Grants, allowed: PolicyTerms) -> Result<PlanParts, PolicyError> {
    let entry = PolicyEntry {
        line: 1,
        signers: ["alice".to_owned()].into(),
        contexts: None,
        content_types: None,
        terms: allowed,
    };
    let policy = Policy { entries: Some(vec![entry]) };
    let system = system();
    let question =
        PolicyQuestion { signer: "alice", context: None, content_type: None, system: &system };
    let command = OperatorCommand { path: "/bin/cat".into(), arguments: Vec::new() };
    let permit = policy.plan(&question, asked, asked.run().is_none().then_some(&command));
    permit.map(|permit| permit.plan.parts().clone())
}

/// Returns whether `less` gives nothing that `more` does not.
fn is_inside(less: &PlanParts, more: &PlanParts) -> bool {
    let (less_limits, more_limits) = (less.limits.values(), more.limits.values());
    less.granted_paths.iter().all(|less| {
        let place = |opening: &GrantedPath| (opening.source.clone(), opening.target.clone());
        let holds =
            |more: &&GrantedPath| place(more) == place(less) && more.writable >= less.writable;
        more.granted_paths.iter().any(|more| holds(&more))
    }) && less.ports.is_subset(&more.ports)
        && less.environment.iter().all(|(name, value)| more.environment.get(name) == Some(value))
        && less.system == more.system
        && Limit::ALL.iter().all(|limit| less_limits[limit] <= more_limits[limit])
}

/// Both sides, so that the policy allows what is requested at least half of the time.
fn pair() -> impl Strategy<Value = (OneSide, OneSide)> {
    (one_side(), one_side(), any::<bool>()).prop_map(|(asked, more, mostly_allowed)| {
        let allowed = if mostly_allowed { asked.and(&more) } else { more };
        (asked, allowed)
    })
}

proptest! {
    /// The plan gives nothing that was not requested, and nothing that is not allowed.
    #[test]
    fn a_plan_is_inside_the_grants_and_inside_the_policy((asked, allowed) in pair()) {
        let (grants, terms) = (asked.asked(), allowed.allowed());
        let Ok(plan) = plan_of(&grants, terms.clone()) else { return Ok(()) };
        // Inside the grants.
        prop_assert!(plan.ports.is_subset(grants.ports()));
        for name in plan.environment.keys() {
            let name = name.to_str().unwrap();
            let base = BASE_ENVIRONMENT.iter().any(|(known, _)| *known == name);
            prop_assert!(base || grants.environment().iter().any(|asked| asked.as_str() == name));
        }
        for GrantedPath { target, writable, .. } in &plan.granted_paths {
            let asked = if *writable { grants.write() } else { grants.read() };
            let path = target.strip_prefix(FILES_PATH).unwrap().to_str().unwrap();
            prop_assert!(asked.iter().any(|asked| asked.as_str() == path), "{path}");
        }
        let limits = plan.limits.values();
        for (limit, value) in grants.limits() {
            prop_assert!(limits[limit] <= *value);
        }
        let arguments = plan.program.arguments.iter().skip(1);
        let arguments: Vec<_> = arguments.map(|argument| argument.to_str().unwrap()).collect();
        prop_assert_eq!(arguments, grants.arguments().iter().collect::<Vec<_>>());
        // Inside the policy.
        prop_assert!(plan.ports.is_subset(terms.ports.as_ref().unwrap()));
        for GrantedPath { source, writable, .. } in &plan.granted_paths {
            let below = |roots: &Option<BTreeMap<String, PathBuf>>| {
                roots.as_ref().unwrap().values().any(|root| source.starts_with(root))
            };
            prop_assert!(below(&terms.write) || (!writable && below(&terms.read)), "{source:?}");
        }
        for limit in Limit::ALL {
            let most = terms.limits.get(&limit).copied().unwrap_or(limit.default_value());
            prop_assert!(limits[&limit] <= most, "{limit:?}");
        }
        prop_assert!(terms.formats.is_none_or(|formats| formats.contains(&plan.format)));
        if let Some(alias) = grants.run() {
            prop_assert_eq!(&plan.program.path, &terms.interpreters.unwrap()[alias].path);
        }
    }

    /// A policy that allows more never takes anything away, and never refuses a job that was not refused.
    #[test]
    fn a_plan_grows_with_the_policy((asked, allowed) in pair(), more in one_side()) {
        let grants = asked.asked();
        let Ok(less) = plan_of(&grants, allowed.allowed()) else { return Ok(()) };
        let more = plan_of(&grants, allowed.and(&more).allowed());
        prop_assert!(more.as_ref().is_ok_and(|more| is_inside(&less, more)), "{more:?}");
        prop_assert_eq!(less.program, more.unwrap().program);
    }

    /// A job that requests more is refused, or gets at least as much.
    #[test]
    fn a_plan_grows_with_the_grants((asked, allowed) in pair(), more in one_side()) {
        let Ok(less) = plan_of(&asked.asked(), allowed.allowed()) else { return Ok(()) };
        let mut more = asked.and(&more);
        more.interpreters.clone_from(&asked.interpreters);
        if let Ok(more) = plan_of(&more.asked(), allowed.allowed()) {
            prop_assert!(is_inside(&less, &more));
        }
    }

    /// A job that requests less than a granted one is granted.
    #[test]
    fn less_than_what_is_granted_is_granted((asked, allowed) in pair(), cut in one_side()) {
        if plan_of(&asked.asked(), allowed.allowed()).is_err() {
            return Ok(());
        }
        let mut fewer = asked.clone();
        let keep = |list: &mut Vec<&'static str>, other: &[&'static str]| {
            list.retain(|text| other.contains(text));
        };
        keep(&mut fewer.environment, &cut.environment);
        keep(&mut fewer.read, &cut.read);
        keep(&mut fewer.write, &cut.write);
        fewer.ports.retain(|port| cut.ports.contains(port));
        fewer.limits.retain(|limit, _| cut.limits.contains_key(limit));
        prop_assert!(plan_of(&fewer.asked(), allowed.allowed()).is_ok());
    }
}
