//! Which dictionary of a checkpoint holds the model, and what its tensors are called.
//!
//! ```text
//!   { "model": { "module.fc.weight": … }, "epoch": 3, "args": … }     ─▶  fc.weight
//! ```
//!
//! 1. From the outermost dictionary on, the first of [`WRAPPERS`] that leads to a dictionary with a tensor in it is
//!    entered, again and again; `--key` names another.
//! 2. Dictionaries in dictionaries become names with dots.
//! 3. A prefix of [`PREFIXES`] that all names share is dropped, again and again.

use super::{
    Found, Pickle,
    value::{Id, Value},
};
use crate::archive::Fault;

/// Keys under which training programs store a model, the first that exists counts.
pub const WRAPPERS: [&str; 5] = ["model", "state_dict", "model_ema", "state_dict_ema", "module"];
/// What wrappers for training put before names.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];
/// Dictionaries in dictionaries, at most.
const MAX_DEPTH: usize = 8;
/// Entries that are looked at, at most.
const MAX_VISITS: usize = 1 << 20;
/// The longest name, in bytes.
const MAX_NAME: usize = 1 << 12;

/// The tensors of a checkpoint by name.
pub fn contents<'p>(pickle: &'p Pickle, key: Option<&str>) -> Result<Found<'p>, Fault> {
    let mut walk = Walk { pickle, visits: 0 };
    let root = match key {
        Some(key) => walk.under(key)?,
        None => walk.peeled()?,
    };
    let mut found = walk.flat(root)?;
    if found.tensors.is_empty() {
        return Err(broken(format!("it holds {}, expected a dictionary of tensors", pickle.values.describe(root))));
    }
    while let Some(prefix) = PREFIXES.iter().find(|prefix| found.tensors.keys().all(|name| name.starts_with(*prefix))) {
        let rest = |name: String| name.strip_prefix(prefix).map_or_else(|| name.clone(), str::to_owned);
        found.tensors = found.tensors.into_iter().map(|(name, tensor)| (rest(name), tensor)).collect();
        found.left_out = found.left_out.into_iter().map(|(name, what)| (rest(name), what)).collect();
    }
    Ok(found)
}

struct Walk<'p> {
    pickle: &'p Pickle<'p>,
    visits: usize,
}

impl<'p> Walk<'p> {
    /// The dictionary that the wrappers lead to.
    fn peeled(&mut self) -> Result<Id, Fault> {
        let mut at = self.pickle.root;
        for _ in 0..MAX_DEPTH {
            let Some(inside) = self.wrapped(at)? else { break };
            at = inside;
        }
        Ok(at)
    }
    fn wrapped(&mut self, id: Id) -> Result<Option<Id>, Fault> {
        let values = &self.pickle.values;
        let Value::Dict(dict) = values.get(id) else { return Ok(None) };
        for wrapper in WRAPPERS {
            let inside = values.entry(dict, wrapper).filter(|&inside| matches!(values.get(inside), Value::Dict(_)));
            if let Some(inside) = inside
                && !self.flat(inside)?.tensors.is_empty()
            {
                return Ok(Some(inside));
            }
        }
        Ok(None)
    }
    /// The dictionary under a key of the outermost one.
    fn under(&self, key: &str) -> Result<Id, Fault> {
        let values = &self.pickle.values;
        let Value::Dict(dict) = values.get(self.pickle.root) else {
            return Err(broken(format!("it holds {}, which has no key {key}", values.describe(self.pickle.root))));
        };
        values.entry(dict, key).ok_or_else(|| {
            let text = |&(key, _): &(Id, Id)| match values.get(key) {
                Value::Text(text) => Some(format!("{text:?}")),
                _ => None,
            };
            let keys: Vec<String> = dict.iter().filter_map(text).take(12).collect();
            broken(format!("it has no key {key:?}, only {}", keys.join(", ")))
        })
    }
    /// All tensors below a value. Plain values and texts beside them are left out silently, unknown objects by name.
    fn flat(&mut self, root: Id) -> Result<Found<'p>, Fault> {
        let values = &self.pickle.values;
        let mut found = Found::default();
        let mut work = vec![(root, String::new(), 0)];
        while let Some((id, name, depth)) = work.pop() {
            self.visits += 1;
            if self.visits > MAX_VISITS || depth > MAX_DEPTH || name.len() > MAX_NAME {
                return Err(broken("its dictionaries are nested beyond measure".into()));
            }
            match values.get(id) {
                Value::Dict(dict) => {
                    let entries = dict
                        .iter()
                        .rev()
                        .filter_map(|&(key, value)| Some((value, self.joined(&name, key)?, depth + 1)));
                    work.extend(entries);
                }
                Value::Tensor(tensor) if depth > 0 => {
                    found.tensors.insert(name, tensor);
                }
                Value::Placeholder(class) => {
                    if class.module.starts_with("torch") || class.module.starts_with("numpy") {
                        let name = if name.is_empty() { "its content" } else { &name };
                        return Err(broken(format!(
                            "{name} is made by {class}, expected a tensor that is dense and whole"
                        )));
                    }
                    found.left_out.insert(name, format!("an object of {class}"));
                }
                Value::List(_) | Value::Tuple(_) if depth > 0 => {
                    found.left_out.insert(name, values.describe(id));
                }
                _ => {}
            }
        }
        Ok(found)
    }
    fn joined(&self, name: &str, key: Id) -> Option<String> {
        let key = match self.pickle.values.get(key) {
            Value::Text(text) => (*text).to_owned(),
            Value::Int(number) => number.to_string(),
            _ => return None,
        };
        Some(if name.is_empty() { key } else { format!("{name}.{key}") })
    }
}

fn broken(what: String) -> Fault {
    Fault::Broken(what)
}
