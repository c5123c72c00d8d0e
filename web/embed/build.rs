//! Lists the built files of the console as Rust: `static FILES: &[File] = &[…]`, sorted by path.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const MISSING: &str = "The web console is not built: run `npm ci && npm run build` in web/ (`make build` does it)";

fn main() -> io::Result<()> {
    let variable = |name| env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("no {name}")));
    let dist = variable("CARGO_MANIFEST_DIR")?.join("dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let code = match dist.join("index.html").is_file() {
        true => table(&dist)?,
        false => format!("compile_error!({MISSING:?});\nstatic FILES: &[File] = &[];\n"),
    };
    fs::write(variable("OUT_DIR")?.join("files.rs"), code)
}

fn table(dist: &Path) -> io::Result<String> {
    let mut paths = BTreeSet::new();
    collect(dist, dist, &mut paths)?;
    let mut code = String::from("static FILES: &[File] = &[\n");
    for path in paths.iter().filter(|path| !is_compressed(path)) {
        let bytes = fs::read(dist.join(path))?;
        let encoded = |extension: &str| {
            let name = format!("{path}.{extension}");
            match paths.contains(&name) {
                true => format!("Some(include_bytes!({:?}))", dist.join(name)),
                false => "None".to_owned(),
            }
        };
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        writeln!(
            code,
            "    File {{ path: {path:?}, tag: \"{:016x}\", plain: include_bytes!({:?}), brotli: {}, gzip: {} }},",
            hasher.finish(),
            dist.join(path),
            encoded("br"),
            encoded("gz"),
        )
        .map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    Ok(code)
}

fn is_compressed(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "br" || extension == "gz")
}

/// All files below `directory`, as paths relative to `root` with slashes.
fn collect(root: &Path, directory: &Path, paths: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, paths)?;
        } else {
            let relative = path.strip_prefix(root).map_err(io::Error::other)?;
            let relative = relative.to_str().ok_or_else(|| io::Error::other("a file name that is not UTF-8"))?;
            paths.insert(relative.replace('\\', "/"));
        }
    }
    Ok(())
}
