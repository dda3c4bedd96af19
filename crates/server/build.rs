//! Embeds the built dashboard: `dashboard/dist`, made by `./x`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let built = here.join("../../dashboard/dist");
    println!("cargo::rerun-if-changed={}", built.display());
    let mut files = Vec::new();
    if built.join("index.html").is_file() {
        collect(&built, &built, &mut files)?;
    }
    files.sort();
    // Copied first: a dashboard that is built anew meanwhile must not take files away from the compiler.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let copies = out.join("dashboard");
    if copies.exists() {
        std::fs::remove_dir_all(&copies)?;
    }
    std::fs::create_dir_all(&copies)?;
    let mut table = String::from("&[\n");
    for (number, (name, path)) in files.iter().enumerate() {
        let copy = copies.join(number.to_string());
        std::fs::copy(path, &copy)?;
        writeln!(table, "    ({name:?}, include_bytes!({copy:?}) as &[u8]),")?;
    }
    table.push(']');
    std::fs::write(out.join("dashboard.rs"), table)?;
    Ok(())
}

fn collect(
    root: &Path,
    folder: &Path,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Box<dyn std::error::Error>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root)?.to_str() {
            files.push((name.replace('\\', "/"), path));
        }
    }
    Ok(())
}
