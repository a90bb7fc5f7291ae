//! The modules of a crate form layers: among the children of a module, files or directories, no two depend on each other,
//! directly or through others. A parent and its child may.
//!
//! The check reads `crate::…` and `super::…` paths and follows re-exports. It ignores comments and the unit tests, which
//! are at the end of a file.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module or an item: the names after `crate`.
type ModulePath = Vec<String>;

/// The modules of a crate.
#[derive(Default)]
struct Modules {
    /// The paths that each module names, absolute.
    references: BTreeMap<ModulePath, BTreeSet<ModulePath>>,
    /// The targets of `pub use`, by the path under which other modules see them.
    reexports: BTreeMap<ModulePath, ModulePath>,
}

impl Modules {
    fn read(source: &Path) -> Self {
        let mut modules = Self::default();
        for file in rust_files(source) {
            let relative = file.strip_prefix(source).unwrap().with_extension("");
            let mut module: ModulePath =
                relative.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
                module.pop();
            }
            modules.add(&module, &without_comments_and_tests(&std::fs::read_to_string(&file).unwrap()));
        }
        modules
    }

    fn add(&mut self, module: &[String], code: &str) {
        let references = self.references.entry(module.to_vec()).or_default();
        for (start, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
            let is_word_start = !code[..start].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if is_word_start {
                for path in paths(&code[start..]) {
                    references.insert(absolute(module, &path));
                }
            }
        }
        for (start, _) in code.match_indices("use ") {
            let line_start = code[..start].rfind('\n').map_or(0, |end| end + 1);
            if code[line_start..start].trim_start().starts_with("pub") {
                for path in paths(&code[start + 4..]) {
                    let mut visible = module.to_vec();
                    visible.extend(path.last().cloned());
                    self.reexports.insert(visible, absolute(module, &path));
                }
            }
        }
    }

    /// Returns the module that defines what a path names.
    fn find_module(&self, path: &[String]) -> ModulePath {
        let mut path = path.to_vec();
        // The limit ends a re-export of itself, such as `pub use groups::Groups` of a module with the same name.
        for _ in 0..10 {
            let target = (1..=path.len()).find_map(|length| {
                let target = self.reexports.get(&path[..length])?;
                Some([target, &path[length..]].concat())
            });
            match target {
                Some(target) if target != path => path = target,
                _ => break,
            }
        }
        while !self.references.contains_key(&path) {
            path.pop();
        }
        path
    }

    /// Returns, for each module, the dependencies among its children.
    fn dependencies(&self) -> BTreeMap<ModulePath, BTreeMap<String, BTreeSet<String>>> {
        let mut parents: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
        for (module, references) in &self.references {
            for reference in references {
                let target = self.find_module(reference);
                let common = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                if let (Some(user), Some(used)) = (module.get(common), target.get(common)) {
                    let children = parents.entry(module[..common].to_vec()).or_default();
                    children.entry(user.clone()).or_default().insert(used.clone());
                }
            }
        }
        parents
    }
}

/// Returns the paths of a use tree or an expression at the start of `code`, without aliases.
fn paths(code: &str) -> Vec<ModulePath> {
    let name_length = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    let (name, rest) = code.split_at(name_length);
    if name.is_empty() {
        return Vec::new();
    }
    let Some(rest) = rest.strip_prefix("::") else { return vec![vec![name.to_owned()]] };
    let tails = match rest.strip_prefix('{') {
        Some(list) => elements(list).into_iter().flat_map(paths).collect(),
        None => paths(rest),
    };
    if tails.is_empty() {
        return vec![vec![name.to_owned()]]; // a glob, or a turbofish
    }
    let join = |tail: ModulePath| [vec![name.to_owned()], tail].concat();
    tails.into_iter().map(join).collect()
}

/// Returns the elements of a list in braces, up to its closing brace.
fn elements(list: &str) -> Vec<&str> {
    let (mut elements, mut depth, mut start) = (Vec::new(), 0, 0);
    for (position, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                elements.push(list[start..position].trim());
                start = position + 1;
                if character == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    elements
}

/// Resolves `crate`, `super` and `self`. Other paths are relative to the module, as in a re-export of a child.
fn absolute(module: &[String], path: &[String]) -> ModulePath {
    let mut base = module.to_vec();
    let mut names = path.iter().peekable();
    while let Some(name) = names.next_if(|name| ["crate", "super", "self"].contains(&name.as_str())) {
        match name.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            _ => {}
        }
    }
    base.extend(names.filter(|name| *name != "self").cloned());
    base
}

fn without_comments_and_tests(code: &str) -> String {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Returns the children in cycles and between them, or `None` if there are none: removes those that no other one uses and
/// those that use no other one, until none is left.
fn find_cycle(
    dependencies: &BTreeMap<String, BTreeSet<String>>,
) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut rest = dependencies.clone();
    loop {
        let before = rest.len();
        let users: BTreeSet<_> = rest.keys().cloned().collect();
        for used in rest.values_mut() {
            used.retain(|name| users.contains(name));
        }
        let used: BTreeSet<_> = rest.values().flatten().cloned().collect();
        rest.retain(|name, uses| !uses.is_empty() && used.contains(name));
        if rest.len() == before {
            return (!rest.is_empty()).then_some(rest);
        }
    }
}

#[test]
fn modules_do_not_depend_on_each_other_in_a_cycle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = std::fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path());
    let mut cycles = Vec::new();
    for package in crates.chain([root.join("bench")]) {
        let modules = Modules::read(&package.join("src"));
        for (parent, dependencies) in modules.dependencies() {
            if let Some(cycle) = find_cycle(&dependencies) {
                let name = package.file_name().unwrap().to_string_lossy();
                cycles.push(format!("{name}::{}: {cycle:?}", parent.join("::")));
            }
        }
    }
    assert!(cycles.is_empty(), "{}", cycles.join("\n"));
}

#[test]
fn cycles_are_found_through_braces_and_reexports() {
    let mut modules = Modules::default();
    modules.add(&[], "mod a;\nmod b;\npub use a::Item;\n");
    modules.add(&["a".to_owned()], "use super::{b::{Other, More}, Thing};\n");
    modules.add(&["b".to_owned()], "fn f() -> crate::Item { todo() }\n");
    let dependencies = &modules.dependencies()[&[][..]];
    assert_eq!(dependencies["a"], BTreeSet::from(["b".to_owned()]));
    assert_eq!(dependencies["b"], BTreeSet::from(["a".to_owned()]));
    assert!(find_cycle(dependencies).is_some());
}
