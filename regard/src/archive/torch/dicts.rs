//! Which dictionary of a checkpoint holds the model, and what its tensors are called.
//!
//! ```text
//!   { "model": { "module.fc.weight": … }, "epoch": 3, "args": … }     ─▶  fc.weight
//! ```
//!
//! 1. From the outermost dictionary on, the first of [`WRAPPERS`] that leads to a dictionary with a tensor in it is
//!    entered, or the only dictionary that has one, again and again; `--key` names another.
//! 2. Dictionaries in dictionaries become names with dots.
//! 3. A prefix of [`PREFIXES`] that all names share is dropped, again and again.
//!
//! A dictionary may occur in many places. Names are counted and measured before they are made, against the number of
//! values and the length of the pickle, so that a small file cannot have many or long ones.

use super::{
    Found, Item, Pickle,
    names::short,
    value::{Dict, Id, Value},
};
use crate::archive::{Fault, Keys};
use std::borrow::Cow;

/// Keys under which training programs store a model, the first that exists counts.
pub(crate) const WRAPPERS: [&str; 8] =
    ["model", "state_dict", "model_state_dict", "model_ema", "state_dict_ema", "module", "net", "weights"];
/// What wrappers for training put before names.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];
/// Dictionaries in dictionaries, at most.
const MAX_DEPTH: usize = 8;
/// Entries that are looked at, and those per value of the pickle.
const MAX_VISITS: (usize, usize) = (4096, 2);
/// Bytes of all names, and those per byte of the pickle.
const MAX_NAMES: (usize, usize) = (1 << 20, 8);
/// The longest name, in bytes.
const MAX_NAME: usize = 1 << 12;
/// Entries beside tensors that are named.
const MAX_LEFT_OUT: usize = 100;
/// Dictionaries of one dictionary that are searched for tensors.
const MAX_SEARCHED: usize = 64;

/// The tensors of a checkpoint by name.
pub(crate) fn contents<'p>(pickle: &'p Pickle, key: Option<&str>) -> Result<Found<'p>, Fault> {
    let mut walk = Walk { pickle, visits: 0, names: 0, arrays: !pickle.values.has_torch() };
    let (root, keys) = match key {
        Some(key) => (walk.under(key)?, Keys { entered: key.to_owned(), others: Vec::new() }),
        None => walk.peeled(),
    };
    let mut found = walk.flat(root)?;
    if found.tensors.is_empty() {
        let what = pickle.values.describe(root);
        return Err(broken(format!("it holds {what}, expected a dictionary of tensors{}", found.hint())));
    }
    found.keys = keys;
    let dropped = common(found.tensors.keys().map(String::as_str));
    if dropped > 0 {
        let rest = |name: String| match common([name.as_str()].into_iter()) >= dropped {
            true => name[dropped..].to_owned(),
            false => name,
        };
        found.tensors = found.tensors.into_iter().map(|(name, tensor)| (rest(name), tensor)).collect();
        found.left_out = found.left_out.into_iter().map(|(name, what)| (rest(name), what)).collect();
    }
    Ok(found)
}

/// Bytes of the prefixes for training that all names share.
fn common<'n>(names: impl Iterator<Item = &'n str>) -> usize {
    let prefixes = |name: &str| {
        let mut ends = vec![0];
        let mut at = 0;
        while let Some(prefix) = PREFIXES.iter().find(|prefix| name[at..].starts_with(*prefix)) {
            at += prefix.len();
            ends.push(at);
        }
        ends
    };
    let mut first: Option<(&str, Vec<usize>)> = None;
    for name in names {
        match &mut first {
            None => first = Some((name, prefixes(name))),
            Some((other, ends)) => {
                ends.retain(|&end| end < name.len() && name.as_bytes()[..end] == other.as_bytes()[..end]);
                if ends.len() == 1 {
                    return 0;
                }
            }
        }
    }
    first.and_then(|(name, ends)| ends.into_iter().rev().find(|&end| end < name.len())).unwrap_or(0)
}

struct Walk<'p> {
    pickle: &'p Pickle<'p>,
    visits: usize,
    /// Bytes of all names.
    names: usize,
    /// Whether arrays of NumPy lead to the model: they do where nothing is a tensor of PyTorch.
    arrays: bool,
}

impl<'p> Walk<'p> {
    /// The dictionary that the wrappers lead to.
    fn peeled(&mut self) -> (Id, Keys) {
        let (mut at, mut keys) = (self.pickle.root, Keys::default());
        for _ in 0..MAX_DEPTH {
            let Some((key, inside, others)) = self.wrapped(at) else { break };
            if keys.entered.is_empty() {
                keys.others = others;
            } else {
                keys.entered.push('.');
            }
            keys.entered.push_str(&short(&key));
            at = inside;
        }
        (at, keys)
    }
    /// The entry of a dictionary that is entered, and the keys of others that hold tensors.
    fn wrapped(&self, id: Id) -> Option<(String, Id, Vec<String>)> {
        let values = &self.pickle.values;
        let Value::Dict(dict) = values.get(id) else { return None };
        let pairs = || values.pairs(dict).flatten();
        let alone = !pairs().any(|(_, value)| self.counts(value));
        let inside = pairs().filter_map(|(key, value)| Some((values.text(key)?, value)));
        let inside = inside.filter(|(_, value)| matches!(values.get(*value), Value::Dict(_)));
        let holds: Vec<(&str, Id)> = inside.take(MAX_SEARCHED).filter(|(_, value)| self.has_tensor(*value)).collect();
        let known = WRAPPERS.iter().find_map(|wrapper| holds.iter().rfind(|(key, _)| key == wrapper));
        let (key, value) = match (known, &holds[..]) {
            (Some(known), _) => *known,
            (None, [only]) if alone => *only,
            _ => return None,
        };
        let others = holds.iter().map(|(key, _)| short(key)).filter(|other| other != key).collect();
        Some((key.to_owned(), value, others))
    }
    /// Whether it is a tensor by which the model is found.
    fn counts(&self, id: Id) -> bool {
        let values = &self.pickle.values;
        matches!(values.get(id), Value::Tensor(_)) || self.arrays && values.is_tensor(id)
    }
    /// Whether there is a tensor somewhere below.
    fn has_tensor(&self, root: Id) -> bool {
        let values = &self.pickle.values;
        let mut seen = vec![false; values.len()];
        let mut work = vec![(root, 0)];
        while let Some((id, depth)) = work.pop() {
            match values.get(id) {
                _ if self.counts(id) => return true,
                Value::Dict(dict) if depth < MAX_DEPTH && !std::mem::replace(&mut seen[id as usize], true) => {
                    work.extend(values.pairs(dict).flatten().map(|(_, value)| (value, depth + 1)));
                }
                _ => {}
            }
        }
        false
    }
    /// The dictionary under a key of the outermost one, or under several joined by dots.
    fn under(&self, key: &str) -> Result<Id, Fault> {
        let values = &self.pickle.values;
        let mut at = self.pickle.root;
        let mut rest = Some(key);
        while let Some(path) = rest {
            let Value::Dict(dict) = values.get(at) else {
                return Err(broken(format!("it holds {}, which has no key {path:?}", values.describe(at))));
            };
            let (first, after) = path.split_once('.').map_or((path, None), |(first, after)| (first, Some(after)));
            (at, rest) = match (values.entry(dict, path), values.entry(dict, first)) {
                (Some(whole), _) => (whole, None),
                (None, Some(inside)) => (inside, after),
                (None, None) => return Err(broken(format!("it has no key {first:?}, only {}", self.keys(dict)))),
            };
        }
        Ok(at)
    }
    /// The first keys of a dictionary, for users.
    fn keys(&self, dict: &Dict) -> String {
        let values = &self.pickle.values;
        let texts = values.pairs(dict).flatten().filter_map(|(key, _)| values.text(key));
        let keys: Vec<String> = texts.take(12).map(|key| format!("\"{}\"", short(key))).collect();
        keys.join(", ")
    }
    /// All tensors below a value. Plain values and texts beside them are left out silently, unknown objects by name.
    fn flat(&mut self, root: Id) -> Result<Found<'p>, Fault> {
        let values = &self.pickle.values;
        let most = MAX_VISITS.0 + MAX_VISITS.1 * values.len();
        let mut found = Found { pickle: Some(self.pickle), ..Found::default() };
        let mut work = vec![(root, String::new(), 0)];
        while let Some((id, name, depth)) = work.pop() {
            if depth > MAX_DEPTH {
                return Err(beyond());
            }
            match values.get(id) {
                Value::Dict(dict) => {
                    let first = work.len();
                    for pair in values.pairs(dict) {
                        let (key, value) =
                            pair.ok_or_else(|| broken("a dictionary is made of what are not pairs".into()))?;
                        self.visits += 1;
                        if self.visits > most {
                            return Err(beyond());
                        }
                        if let Some(name) = self.joined(&name, key)? {
                            work.push((value, name, depth + 1));
                        }
                    }
                    work[first..].reverse();
                }
                Value::Tensor(tensor) if depth > 0 => found.insert(name, Item::Tensor(tensor))?,
                Value::Array(Some(array)) if depth > 0 => match values.is_tensor(id) {
                    true => found.insert(name, Item::Array(array))?,
                    false => found.leave_out(name, || values.contents_of(array)),
                },
                Value::Placeholder(class) => found.leave_out(name, || class.object()),
                Value::List(_) | Value::Tuple(_) if depth > 0 => found.leave_out(name, || values.describe(id)),
                _ => {}
            }
        }
        found.leave_numbers_out();
        Ok(found)
    }
    /// The name of an entry; nothing where its key is neither a text nor a number.
    fn joined(&mut self, name: &str, key: Id) -> Result<Option<String>, Fault> {
        let key: Cow<str> = match self.pickle.values.get(key) {
            Value::Text(text) => Cow::Borrowed(text),
            Value::Int(number) => number.to_string().into(),
            _ => return Ok(None),
        };
        let length = name.len() + 1 + key.len();
        self.names += length;
        if length > MAX_NAME || self.names > MAX_NAMES.0 + MAX_NAMES.1 * self.pickle.length {
            return Err(beyond());
        }
        Ok(Some(if name.is_empty() { key.into_owned() } else { format!("{name}.{key}") }))
    }
}

impl<'p> Found<'p> {
    fn insert(&mut self, name: String, item: Item<'p>) -> Result<(), Fault> {
        match self.tensors.contains_key(&name) {
            true => Err(broken(format!("two of its tensors are called {}", short(&name)))),
            false => {
                self.tensors.insert(name, item);
                Ok(())
            }
        }
    }
    /// Numbers that NumPy wrote beside tensors of PyTorch are training state.
    fn leave_numbers_out(&mut self) {
        let Some(pickle) = self.pickle.filter(|_| self.tensors.values().any(|item| matches!(item, Item::Tensor(_))))
        else {
            return;
        };
        let is_number = |item: &Item| matches!(item, Item::Array(array) if pickle.values.is_number(array));
        let numbers: Vec<String> =
            self.tensors.iter().filter(|(_, item)| is_number(item)).map(|(name, _)| name.clone()).collect();
        for name in numbers {
            self.tensors.remove(&name);
            self.leave_out(name, || "a number of NumPy".into());
        }
    }
    fn leave_out(&mut self, name: String, what: impl FnOnce() -> String) {
        match self.left_out.len() < MAX_LEFT_OUT {
            true => drop(self.left_out.insert(name, what())),
            false => self.more_left_out += 1,
        }
    }
    /// What there is instead of tensors.
    fn hint(&self) -> String {
        match self.left_out.iter().find(|(name, _)| !name.is_empty()) {
            Some((name, what)) => format!(": {} is {what}", short(name)),
            None => String::new(),
        }
    }
}

fn beyond() -> Fault {
    broken("its dictionaries are nested beyond measure".into())
}

fn broken(what: String) -> Fault {
    Fault::Broken(what)
}

#[cfg(test)]
mod tests {
    use super::common;

    #[test]
    fn prefixes_that_all_names_share_are_counted() {
        let shared = |names: &[&str]| common(names.iter().copied());
        assert_eq!(shared(&["module._orig_mod.a", "module._orig_mod.b"]), 17);
        assert_eq!(shared(&["module.module.a", "module.b"]), 7);
        assert_eq!(shared(&["module.a", "b"]), 0);
        assert_eq!(shared(&["module.", "module.a"]), 0);
        assert_eq!(shared(&[]), 0);
    }
}
