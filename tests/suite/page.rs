//! A page of documentation, taken apart: what it shows is what is run.

use crate::common::project_text;

/// The scripts of a page.
pub(crate) struct Page(Vec<Snippet>);

/// A script, in the language of a shell or of make, and under which headings it stands.
struct Snippet {
    section: String,
    title: String,
    script: String,
}

impl Page {
    /// Reads a page; several blocks under one heading are one script.
    pub(crate) fn read(path: &str) -> Self {
        let (mut section, mut title) = (String::new(), String::new());
        let mut snippets: Vec<Snippet> = Vec::new();
        let mut inside = false;
        for line in project_text(path).lines() {
            match (inside, line) {
                (true, "```") => inside = false,
                (true, _) => {
                    let snippet = snippets.last_mut().unwrap();
                    snippet.script.push_str(line);
                    snippet.script.push('\n');
                }
                (false, "```sh" | "```bash" | "```make") => {
                    inside = true;
                    let new = snippets
                        .last()
                        .is_none_or(|one| (&one.section, &one.title) != (&section, &title));
                    if new {
                        snippets.push(Snippet {
                            section: section.clone(),
                            title: title.clone(),
                            script: String::new(),
                        });
                    }
                }
                (false, _) => {
                    if let Some(text) = line.strip_prefix("### ") {
                        title = text.to_owned();
                    } else if let Some(text) = line.strip_prefix("## ") {
                        (section, title) = (text.to_owned(), String::new());
                    }
                }
            }
        }
        assert!(!inside, "a block that does not end");
        Self(snippets)
    }

    /// Returns what stands under two headings; of several blocks there, all.
    #[track_caller]
    pub(crate) fn snippet(&self, section: &str, title: &str) -> &str {
        let found = self.0.iter().find(|one| one.section == section && one.title == title);
        found.map_or_else(|| panic!("no commands under {section}, {title}"), |one| &one.script)
    }

    /// Under which headings there are scripts.
    pub(crate) fn titles(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|one| (one.section.as_str(), one.title.as_str())).collect()
    }
}
