//! Paths of modules, as a tree: `layers.2.blocks` is a number, and the module around two others a walk.

use std::collections::HashMap;

/// A path in its tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Path(u32);

/// All paths that lead to modules with weights.
pub(crate) struct Paths<'a> {
    rows: Vec<Row<'a>>,
    known: HashMap<(Path, &'a str), Path>,
}

#[derive(Default)]
struct Row<'a> {
    parent: Path,
    depth: usize,
    word: &'a str,
    /// Whether weights belong to it.
    is_module: bool,
    /// Whether it has parts, and whether one of them has a name instead of a number.
    parts: bool,
    named_parts: bool,
}

impl Default for Paths<'_> {
    fn default() -> Self {
        Paths { rows: vec![Row::default()], known: HashMap::new() }
    }
}

impl<'a> Paths<'a> {
    /// The path around everything.
    pub(crate) const ROOT: Path = Path(0);

    /// The path of a module to which weights belong.
    pub(crate) fn module(&mut self, text: &'a str) -> Path {
        let mut at = Paths::ROOT;
        for word in text.split('.') {
            let next = Path(self.rows.len() as u32);
            let parent = &mut self.rows[at.0 as usize];
            parent.parts = true;
            parent.named_parts |= !word.bytes().all(|b| b.is_ascii_digit());
            let row = Row { parent: at, depth: parent.depth + 1, word, ..Row::default() };
            at = *self.known.entry((at, word)).or_insert(next);
            if at == next {
                self.rows.push(row);
            }
        }
        self.rows[at.0 as usize].is_module = true;
        at
    }
    /// The longest known path that `text` begins with.
    pub(crate) fn find(&self, text: &'a str) -> Option<Path> {
        let mut at = Paths::ROOT;
        for word in text.split('.') {
            match self.known.get(&(at, word)) {
                Some(&next) => at = next,
                None => break,
            }
        }
        (at != Paths::ROOT).then_some(at)
    }
    fn row(&self, path: Path) -> &Row<'a> {
        &self.rows[path.0 as usize]
    }
    /// How many words it has.
    pub(crate) fn depth(&self, path: Path) -> usize {
        self.row(path).depth
    }
    /// The path without its last word.
    pub(crate) fn parent(&self, path: Path) -> Path {
        self.row(path).parent
    }
    /// Whether weights belong to it and no module is inside.
    pub(crate) fn is_leaf(&self, path: Path) -> bool {
        self.row(path).is_module && !self.row(path).parts
    }
    /// Whether something can be computed there: not around everything, nor in a mere list of modules, `blocks.0`, `blocks.1`….
    pub(crate) fn can_hold(&self, path: Path) -> bool {
        let row = self.row(path);
        path != Paths::ROOT && (row.named_parts || row.is_module || !row.parts)
    }
    /// The innermost module around a path that is not a list; the path itself where there is none.
    pub(crate) fn holder(&self, path: Path) -> Path {
        let mut at = if self.is_leaf(path) { self.parent(path) } else { path };
        while at != Paths::ROOT && !self.can_hold(at) {
            at = self.parent(at);
        }
        if at == Paths::ROOT { path } else { at }
    }
    /// The longest path that both begin with.
    pub(crate) fn shared(&self, mut a: Path, mut b: Path) -> Path {
        while a != b {
            match self.depth(a) >= self.depth(b) {
                true => a = self.parent(a),
                false => b = self.parent(b),
            }
        }
        a
    }
    /// The path as text.
    pub(crate) fn text(&self, path: Path) -> String {
        let mut words = Vec::new();
        let mut at = path;
        while at != Paths::ROOT {
            words.push(self.row(at).word);
            at = self.parent(at);
        }
        words.reverse();
        words.join(".")
    }
}
