//! The answers of the perimeter to what [`crate::iam`] asks of it.

use crate::iam::change::Ours;
use crate::ids::VpcKey;
use crate::perimeter::{Mode, Perimeter, exception};

impl Ours for Perimeter {
    fn break_glass(&self) -> Vec<&str> {
        self.break_glass.iter().map(|entry| entry.principal.as_str()).collect()
    }

    fn speaks_of(&self, arn: &str) -> bool {
        self.break_glass.iter().any(|entry| exception::speaks_of(self, &entry.principal, arn))
    }

    fn is_account(&self, account: &str) -> bool {
        self.is_ours(account)
    }

    /// Where the perimeter does not name ours, none is known as it.
    fn is_organization(&self, id: &str) -> bool {
        self.organization.as_deref() == Some(id)
    }

    fn is_vpc(&self, id: &str) -> bool {
        self.vpcs.keys().any(|vpc| vpc.id == id)
    }

    /// Of those that perimeter.toml names: what an inventory has learnt is not asked.
    fn is_endpoint(&self, id: &str) -> bool {
        self.endpoints.iter().any(|known| known.id.as_str() == id && self.vpcs.contains_key(&known.vpc))
    }

    fn is_other_endpoint(&self, id: &str) -> bool {
        let mut of_that_id = self.endpoints.iter().filter(|known| known.id.as_str() == id).peekable();
        let is_held = |vpc: &VpcKey| self.vpcs.contains_key(vpc) && is_in(self, vpc, None, None);
        of_that_id.peek().is_some() && !of_that_id.any(|known| is_held(&known.vpc))
    }

    fn approves_vpc(&self, account: Option<&str>, region: Option<&str>, id: &str) -> bool {
        self.vpcs.keys().any(|vpc| vpc.id == id && is_in(self, vpc, account, region))
    }

    fn owns_vpc(&self, account: Option<&str>, region: Option<&str>) -> bool {
        self.vpcs.keys().any(|vpc| is_in(self, vpc, account, region))
    }
}

/// Is the VPC in this account and region, and not in an exempt one?
fn is_in(perimeter: &Perimeter, vpc: &VpcKey, account: Option<&str>, region: Option<&str>) -> bool {
    let owner = vpc.account.as_str();
    account.is_none_or(|account| owner == account)
        && region.is_none_or(|region| vpc.region == region)
        && perimeter.mode_of(owner) != Mode::Exempt
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

    #[test]
    fn what_the_perimeter_does_not_list_is_not_ours() {
        let text = |organization: &str| {
            format!(
                "version = 1\n{organization}management_account = \"999988887777\"\n\
                [environments.production]\nmode = \"enforce\"\naccounts = [\"111122223333\"]\n\
                [[vpc]]\nid = \"vpc-0a\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\n\
                cidrs = [\"10.0.0.0/16\"]\n\
                [[endpoint]]\nid = \"vpce-0a\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\n\
                vpc = \"vpc-0a\"\n\
                [[endpoint]]\nid = \"vpce-0b\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\n\
                vpc = \"vpc-0b\"\n"
            )
        };
        let read = |organization: &str| config::parse(&text(organization)).map(|parsed| parsed.perimeter);
        let ours = read("organization = \"o-exampleorgid\"\n").unwrap();
        assert!(ours.is_account("111122223333") && ours.is_account("999988887777"));
        assert!(!ours.is_account("555566667777"));
        assert!(ours.is_organization("o-exampleorgid") && !ours.is_organization("o-exampleother"));
        assert!(ours.is_vpc("vpc-0a") && !ours.is_vpc("vpc-0b"));
        assert!(ours.is_endpoint("vpce-0a") && !ours.is_endpoint("vpce-0b") && !ours.is_endpoint("vpce-0c"));
        assert!(ours.is_other_endpoint("vpce-0b") && !ours.is_other_endpoint("vpce-0a"));
        assert!(!ours.is_other_endpoint("vpce-0c"));
        let unnamed = read("").unwrap();
        assert!(!unnamed.is_organization("o-exampleorgid") && !unnamed.is_organization(""));
    }
    #[test]
    fn a_vpc_is_approved_in_its_own_account_and_region_and_not_in_an_exempt_one() {
        let text = |mode: &str| {
            format!(
                "version = 1\n[environments.production]\nmode = \"{mode}\"\naccounts = [\"111122223333\"]\n\
                [[vpc]]\nid = \"vpc-0a\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\n\
                cidrs = [\"10.0.0.0/16\"]\n\
                [[endpoint]]\nid = \"vpce-0a\"\nregion = \"eu-west-1\"\naccount = \"111122223333\"\n\
                vpc = \"vpc-0a\"\n"
            )
        };
        let read = |mode: &str| config::parse(&text(mode)).map(|parsed| parsed.perimeter).unwrap();
        let (ours, exempt) = (read("enforce"), read("exempt"));
        assert!(exempt.is_other_endpoint("vpce-0a") && !ours.is_other_endpoint("vpce-0a"));
        let (account, region) = (Some("111122223333"), Some("eu-west-1"));
        for (account, region) in [(account, region), (None, region), (account, None), (None, None)] {
            assert!(ours.approves_vpc(account, region, "vpc-0a") && ours.owns_vpc(account, region));
            assert!(!ours.approves_vpc(account, region, "vpc-0b"));
            assert!(!exempt.approves_vpc(account, region, "vpc-0a") && !exempt.owns_vpc(account, region));
        }
        for (account, region) in [(Some("444455556666"), region), (account, Some("us-east-1"))] {
            assert!(!ours.approves_vpc(account, region, "vpc-0a") && !ours.owns_vpc(account, region));
        }
    }
}
