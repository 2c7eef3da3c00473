//! The answers of the perimeter to what [`crate::iam`] asks of it.

use crate::iam::change::Ours;
use crate::perimeter::{Perimeter, exception};

impl Ours for Perimeter {
    fn break_glass(&self) -> Vec<&str> {
        self.break_glass.iter().map(|entry| entry.principal.as_str()).collect()
    }

    fn speaks_of(&self, arn: &str) -> bool {
        self.break_glass.iter().any(|entry| exception::speaks_of(self, &entry.principal, arn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perimeter::config;

    #[test]
    fn a_wildcard_account_stands_for_no_exempt_and_no_unlisted_one() {
        let text = "version = 1\n\
            [environments.production]\nmode = \"enforce\"\naccounts = [\"111122223333\"]\n\
            [environments.development]\nmode = \"exempt\"\naccounts = [\"777788889999\"]\n\
            [[break_glass]]\nprincipal = \"arn:aws:iam::*:role/emergency\"\n";
        let perimeter = config::parse(text).ok().map(|parsed| parsed.perimeter);
        let speaks = |account: &str| {
            let arn = format!("arn:aws:iam::{account}:role/emergency");
            perimeter.as_ref().map(|perimeter| perimeter.speaks_of(&arn))
        };
        assert_eq!(speaks("111122223333"), Some(true));
        assert_eq!(speaks("777788889999"), Some(false));
        assert_eq!(speaks("555566667777"), Some(false));
    }
}
