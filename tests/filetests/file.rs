//! The form of a test file: command lines, a source, sections of expectations.

/// What begins a command line.
const COMMAND: &str = "; test";
/// What begins a section.
const SECTION: &str = "; expect ";
/// What begins a line of a section.
const LINE: &str = ";   ";

/// A file, cut into its parts.
pub(crate) struct TestFile {
    /// Path below the directory of file tests, for messages.
    pub name: String,
    /// What to run, without `; test`.
    pub commands: Vec<String>,
    /// Everything above the first section, command lines included, so that places in messages are places in the file.
    pub source: String,
}

impl TestFile {
    /// Cuts a text; the error says what is missing.
    pub(crate) fn parse(name: &str, text: &str) -> Result<TestFile, String> {
        let head = text.lines().take_while(|line| line.starts_with(COMMAND));
        let commands: Vec<String> = head.map(|line| line[COMMAND.len()..].trim().to_owned()).collect();
        if commands.is_empty() || commands.iter().any(String::is_empty) {
            return Err("the file does not begin with lines `; test COMMAND`".into());
        }
        let sections = text.find(&format!("\n{SECTION}")).map_or(text.len(), |at| at + 1);
        let source = format!("{}\n", text[..sections].trim_end());
        Ok(TestFile { name: name.to_owned(), commands, source })
    }

    /// The file with these expectations, one per command.
    pub(crate) fn render(&self, outputs: &[String]) -> String {
        let section = |(command, output): (&String, &String)| {
            let lines = output.trim_end().lines().map(|line| format!("{LINE}{line}").trim_end().to_owned() + "\n");
            format!("\n{SECTION}{command}\n{}", lines.collect::<String>())
        };
        let sections = self.commands.iter().zip(outputs).map(section);
        format!("{}{}", self.source, sections.collect::<String>())
    }
}
