//! A generated corpus is counted exactly as it was planted, whatever the seed. Needs Python: `scripts/test-more` runs
//! this.

use std::error::Error;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::corpus::root;

#[test]
#[ignore = "needs Python: run scripts/test-more"]
fn verdicts_are_those_that_were_planted() -> Result<(), Box<dyn Error>> {
    for seed in ["7", "20260301", "99"] {
        let folder = root().join("target").join(format!("planted-{seed}"));
        let generator = root().join("benches/gen_cloudtrail.py");
        let done = Command::new("python3")
            .arg(generator)
            .arg(&folder)
            .args(["--records", "20000", "--seed", seed])
            .output()?;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let truth: Value = serde_json::from_slice(&fs::read(folder.join("truth.json"))?)?;
        for threads in ["1", "2"] {
            let scan = Command::new(env!("CARGO_BIN_EXE_perimeter"))
                .args(["scan", "--store", "none", "--format", "json", "--threads", threads, "--config"])
                .arg(root().join("benches/perimeter.toml"))
                .arg(folder.join("AWSLogs"))
                .output()?;
            assert!(scan.status.success(), "{}", String::from_utf8_lossy(&scan.stderr));
            let found: Value = serde_json::from_slice(&scan.stdout)?;
            let planted = |names: &[&str]| names.iter().filter_map(|name| truth[name].as_u64()).sum::<u64>();
            let verdicts = &found["summary"]["verdicts"];
            assert_eq!(verdicts["inside"], planted(&["inside"]), "seed {seed}");
            assert_eq!(verdicts["outside"], planted(&["unapproved_vpc", "public_internet"]), "seed {seed}");
            assert_eq!(verdicts["exempt"], planted(&["break_glass", "aws_service"]), "seed {seed}");
            assert_eq!(verdicts["denied"], planted(&["denied_attempt"]), "seed {seed}");
            assert_eq!(verdicts["change"], planted(&["policy_guarded", "policy_unguarded"]), "seed {seed}");
            assert_eq!(verdicts["ignored"], planted(&["other_service"]), "seed {seed}");
            assert_eq!(found["summary"]["records"], 20000);
            let rule = |name: &str| -> u64 {
                let findings = found["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
                findings
                    .iter()
                    .filter(|finding| finding["rule"] == name)
                    .filter_map(|finding| finding["count"].as_u64())
                    .sum()
            };
            assert_eq!(rule("unapproved-vpc"), planted(&["unapproved_vpc"]), "seed {seed}");
            assert_eq!(rule("public-access"), planted(&["public_internet"]), "seed {seed}");
            assert_eq!(rule("break-glass-use"), planted(&["break_glass"]), "seed {seed}");
            assert_eq!(rule("denied-attempt"), planted(&["denied_attempt"]), "seed {seed}");
        }
        fs::remove_dir_all(folder)?;
    }
    Ok(())
}
