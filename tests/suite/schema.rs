//! The schemas in docs/schema/, and what is held to them.

use std::collections::BTreeMap;
use std::fs;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use crate::common::{project, project_text};

thread_local! {
    static COMPILED: CompiledSchemas = CompiledSchemas::read();
}

/// All schemas, by the `schema` member of what they describe.
struct CompiledSchemas {
    schemas: Schemas,
    by_name: BTreeMap<String, SchemaIndex>,
}

impl CompiledSchemas {
    fn read() -> Self {
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        let mut by_name = BTreeMap::new();
        for (name, schema) in documents() {
            let place = format!("file:///schema/{}", file_name(&name));
            compiler.add_resource(&place, schema).unwrap();
            by_name.insert(name, compiler.compile(&place, &mut schemas).unwrap());
        }
        Self { schemas, by_name }
    }

    fn judge(&self, document: &Value) -> Result<(), String> {
        let name = document["schema"].as_str().unwrap_or_default();
        let found = self.by_name.get(name).ok_or_else(|| format!("{name:?} has no schema"))?;
        self.schemas.validate(document, *found).map_err(|error| format!("{error:#}"))
    }
}

/// All schemas as they are, by the `schema` member of what they describe.
pub(crate) fn documents() -> BTreeMap<String, Value> {
    let entries = fs::read_dir(project("docs/schema")).unwrap();
    let document = |entry: fs::DirEntry| {
        let file = entry.file_name().into_string().unwrap();
        let text = project_text(&format!("docs/schema/{file}"));
        let schema: Value = serde_json::from_str(&text).unwrap();
        let name = schema["properties"]["schema"]["const"].as_str().unwrap().to_owned();
        assert_eq!(file, file_name(&name));
        (name, schema)
    };
    entries.map(|entry| document(entry.unwrap())).collect()
}

fn file_name(name: &str) -> String {
    let (name, version) = name.strip_prefix("brine.").unwrap().split_once('/').unwrap();
    format!("{name}-{version}.json")
}

/// Says what a document has that its schema does not allow, or lacks.
pub(crate) fn judge(document: &Value) -> Result<(), String> {
    COMPILED.with(|compiled| compiled.judge(document))
}

/// Holds every line that is a document of brine's to its schema.
#[track_caller]
pub(crate) fn check_lines(bytes: &[u8]) {
    for document in bytes.split(|byte| *byte == b'\n').filter_map(document) {
        judge(&document).unwrap_or_else(|error| panic!("{error}\n{document}"));
    }
}

/// Returns what a line says, if it is a document of brine's.
pub(crate) fn document(line: &[u8]) -> Option<Value> {
    if !line.starts_with(b"{") {
        return None;
    }
    let document: Value = serde_json::from_slice(line).ok()?;
    document["schema"].as_str()?.starts_with("brine.").then_some(document)
}
