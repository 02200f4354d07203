use std::fmt::Write as _;

use super::*;

fn schema(text: &str) -> JsonSchema {
    JsonSchema::read(text.as_bytes()).unwrap()
}

/// The reason for which output is refused, and what is said.
fn refused(schema: &JsonSchema, output: &str) -> (&'static str, String) {
    let error = schema.check(&mut output.as_bytes()).unwrap_err();
    (error.reason(), error.to_string())
}

const ORDERS: &str = r##"{
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["orders"],
    "properties": {
        "orders": { "type": "array", "items": { "$ref": "#/$defs/order" }, "maxItems": 2 },
        "name": { "pattern": "^(a+)+$" }
    },
    "unevaluatedProperties": false,
    "$defs": { "order": { "type": "object", "properties": { "count": { "type": "integer", "minimum": 1 } } } }
}"##;

#[test]
fn the_first_value_that_breaks_a_schema_is_named_with_the_keyword() {
    let schema = schema(ORDERS);
    schema.check(&mut r#"{ "orders": [{ "count": 1 }, {}] }"#.as_bytes()).unwrap();
    for (output, instance, keyword) in [
        ("[]", "", "type"),
        ("{}", "", "required"),
        (r#"{ "orders": [{ "count": 0 }] }"#, "/orders/0/count", "minimum"),
        (r#"{ "orders": [{ "count": 1.5 }] }"#, "/orders/0/count", "type"),
        (r#"{ "orders": [{}, {}, {}] }"#, "/orders", "maxItems"),
        (r#"{ "orders": [], "other": 1 }"#, "", "unevaluatedProperties"),
        (r#"{ "orders": [], "name": "b" }"#, "/name", "pattern"),
    ] {
        let said = format!("output breaks the schema: {keyword} at {instance:?}");
        assert_eq!(refused(&schema, output), ("output-breaks-schema", said));
    }
}

/// Also by what the schema says nothing of.
#[test]
fn output_is_json_before_anything_else() {
    let schema = schema("{}");
    for (output, reason) in [
        ("", "output-not-json"),
        ("{} {}", "output-not-json"),
        (r#"{ "a": 1, "a": 2 }"#, "output-not-json"),
        ("1e999", "output-not-json"),
    ] {
        assert_eq!(refused(&schema, output).0, reason, "{output}");
    }
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    schema.check(&mut nested(127).as_bytes()).unwrap();
    assert!(refused(&schema, &nested(128)).1.contains("too deep for a schema"));
    assert!(refused(&schema, &nested(129)).1.starts_with("output is not JSON"));
}

#[test]
fn output_is_as_long_as_it_may_be_and_no_longer() {
    let schema = schema("{}");
    let most = usize::try_from(MAX_SCHEMA_OUTPUT_BYTES).unwrap();
    let text = |bytes| format!("\"{}\"", "a".repeat(bytes - 2));
    schema.check(&mut text(most).as_bytes()).unwrap();
    let (reason, _) = refused(&schema, &text(most + 1));
    assert_eq!(reason, "output-too-large-for-schema");
}

/// A name that a job made up cannot do anything to a terminal, or fill it.
#[test]
fn what_a_job_wrote_is_shown_escaped_and_in_part() {
    let schema = schema(r#"{ "additionalProperties": { "type": "null" } }"#);
    let (_, said) = refused(&schema, r#"{ "\u001b[2J\u202e": 1 }"#);
    assert!(said.chars().all(brine_core::text::is_harmless), "{said:?}");
    let (_, said) = refused(&schema, &format!(r#"{{ "{}": 1 }}"#, "a".repeat(100_000)));
    assert!(said.len() < 300, "{}", said.len());
}

/// Nothing is fetched, whatever a schema refers to, and none of it is passed over.
#[test]
fn a_schema_that_refers_to_something_outside_is_refused() {
    for reference in [
        "https://example.com/schema.json",
        "http://127.0.0.1:1/schema",
        "file:///etc/passwd",
        "other.json",
        "#/$defs/none",
        "#none",
        "https://json-schema.org/draft/2020-12/none",
    ] {
        let text = format!(r#"{{ "properties": {{ "a": {{ "$ref": "{reference}" }} }} }}"#);
        let error = JsonSchema::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), "json-schema-reference", "{reference}: {error}");
    }
    // What is in it, or known, is no reference to the outside.
    schema(r#"{ "$ref": "https://json-schema.org/draft/2020-12/schema" }"#);
    schema(
        r##"{ "$id": "https://example.com/a", "$ref": "b", "$defs": { "b": { "$id": "b" } } }"##,
    );
}

#[test]
fn what_is_no_schema_of_this_draft_is_refused() {
    for (text, reason) in [
        ("", "json-schema-form"),
        ("{} x", "json-schema-form"),
        (r#"{ "type": "array", "type": "object" }"#, "json-schema-form"),
        (r#"{ "type": "text" }"#, "json-schema-form"),
        (r#"{ "minimum": "1" }"#, "json-schema-form"),
        (r#"{ "pattern": "(" }"#, "json-schema-form"),
        (r#"{ "pattern": "(?=a)" }"#, "json-schema-form"),
        (r#"{ "pattern": "(a{1000}){1000}" }"#, "json-schema-form"),
        ("7", "json-schema-form"),
        (r#"{ "$schema": "http://json-schema.org/draft-07/schema#" }"#, "json-schema-draft"),
        (r#"{ "$schema": "https://example.com/mine" }"#, "json-schema-draft"),
        (r#"{ "$schema": 1 }"#, "json-schema-draft"),
    ] {
        let error = JsonSchema::read(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), reason, "{text}: {error}");
    }
    let large = format!("{{}}{}", " ".repeat(MAX_JSON_SCHEMA_BYTES));
    let error = JsonSchema::read(large.as_bytes()).unwrap_err();
    assert_eq!(error, JsonSchemaError::TooLarge { found: MAX_JSON_SCHEMA_BYTES + 2 });
}

/// References that lead in a circle, and into everything that is nested, end.
#[test]
fn schemas_that_refer_to_themselves_end() {
    for text in [
        r##"{ "$ref": "#" }"##,
        r##"{ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }"##,
        r##"{ "anyOf": [{ "type": "null" }, { "items": { "$ref": "#" } }] }"##,
        r##"{ "allOf": [{ "$dynamicRef": "#node" }], "$dynamicAnchor": "node" }"##,
    ] {
        let Ok(schema) = JsonSchema::read(text.as_bytes()) else { continue };
        let mut nested = String::new();
        write!(nested, "{}{}", "[".repeat(127), "]".repeat(127)).unwrap();
        let _ = schema.check(&mut nested.as_bytes());
    }
}

#[test]
fn schemas_are_told_apart_by_their_bytes() {
    assert_eq!(schema("{}"), schema("{}"));
    assert_ne!(schema("{}"), schema("{ }"));
}
