//! Writes the bundles that speed is measured on: `bundles COUNT FOLDER` one file each, from the seeds 0, 1, …;
//! `bundles --account ROLES FILE` an account of so many roles.

#[path = "../benches/corpus/mod.rs"]
mod corpus;

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--account", roles, file] => std::fs::write(file, corpus::account(7, roles.parse()?).to_string())?,
        [count, folder] => {
            std::fs::create_dir_all(folder)?;
            for seed in 0..count.parse::<u64>()? {
                let file = Path::new(folder).join(format!("{seed:05}.json"));
                std::fs::write(file, corpus::bundle(seed).to_string())?;
            }
        }
        _ => return Err("usage: bundles COUNT FOLDER, or bundles --account ROLES FILE".into()),
    }
    Ok(())
}
