//! Pages of section 5, from the documents that describe the files. One text says it for both.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// Makes a manual page of a document in Markdown.
pub(super) fn page(name: &str, about: &str, document: &str) -> Vec<u8> {
    let mut roff = Roff::new();
    let title = name.to_uppercase();
    roff.control("TH", [title.as_str(), "5", "2026-11-21", "brine", "brine"]);
    roff.control("SH", ["NAME"]).text([roman(format!("{name} - {about}"))]);
    roff.control("SH", ["DESCRIPTION"]);
    let mut lines = document.lines().skip(1).filter(|line| !line.starts_with("<!--")).peekable();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            roff.control("SH", [heading.to_uppercase().as_str()]);
        } else if line.starts_with("```") {
            let code = lines.by_ref().take_while(|line| !line.starts_with("```"));
            example(&mut roff, code);
        } else if line.starts_with("    ") {
            let mut code = vec![line];
            while let Some(next) = lines.next_if(|next| next.starts_with("    ")) {
                code.push(next);
            }
            example(&mut roff, code.iter().map(|line| line.trim_start()));
        } else if line.starts_with("| ") {
            let header = cells(line);
            while let Some(row) = lines.next_if(|next| next.starts_with('|')) {
                table_row(&mut roff, &header, row);
            }
        } else if !line.is_empty() {
            let mut text = line.to_owned();
            while let Some(next) = lines.next_if(|next| goes_on(next)) {
                text = format!("{text} {}", next.trim_start());
            }
            paragraph(&mut roff, &text);
        }
    }
    let others = vec![bold("brine"), roman("(1), "), bold("brinekey"), roman("(1)")];
    roff.control("SH", ["SEE ALSO"]).text(others);
    let mut page = Vec::new();
    roff.to_writer(&mut page).unwrap();
    page
}

/// Returns whether a line belongs to the paragraph before it.
fn goes_on(line: &str) -> bool {
    let begins = ["- ", "| ", "## ", "```", "    "].iter().any(|start| line.starts_with(start));
    !line.is_empty() && !begins
}

fn paragraph(roff: &mut Roff, text: &str) {
    match text.strip_prefix("- ") {
        Some(item) => roff.control("IP", ["\\(bu", "2"]).text(inlines(item)),
        None => roff.control("PP", []).text(inlines(text)),
    };
}

fn example<'a>(roff: &mut Roff, code: impl Iterator<Item = &'a str>) {
    roff.control("RS", ["4"]).control("EX", []);
    code.for_each(|line| {
        roff.text([roman(line)]);
    });
    roff.control("EE", []).control("RE", []);
}

fn table_row(roff: &mut Roff, header: &[&str], row: &str) {
    let row = cells(row);
    let [first, others @ ..] = row.as_slice() else { return };
    if first.starts_with("---") {
        return;
    }
    let text = match others {
        [what, default] if header.last() == Some(&"default") => {
            format!("{what} (default: {default})")
        }
        others => others.join(": "),
    };
    roff.control("TP", ["4"]).text(inlines(first)).text(inlines(&text));
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

/// What is set as code or with emphasis, and links as their text.
fn inlines(text: &str) -> Vec<Inline> {
    let mut found = Vec::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            found.push(bold(part));
            continue;
        }
        for (index, part) in without_links(part).split("**").enumerate() {
            if index % 2 == 1 {
                found.push(bold(part));
                continue;
            }
            let set = |(index, part)| if index % 2 == 1 { italic(part) } else { roman(part) };
            found.extend(part.split('*').map(str::to_owned).enumerate().map(set));
        }
    }
    found
}

/// Takes the targets off links: `[text](target)` is `text`.
fn without_links(text: &str) -> String {
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().replace('[', "");
    for part in parts {
        let rest = part.split_once(')').map_or(part, |(_, rest)| rest);
        plain.push_str(&rest.replace('[', ""));
    }
    plain
}
