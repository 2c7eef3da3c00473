//! For which actions DynamoDB looks at the policy of a table or stream.
//!
//! Source: DynamoDB developer guide, "API operations supported by resource-based policies".

use super::reading::Reading;

/// Actions that look at no resource's policy: those that have no table yet, or any more, or many.
const WITHOUT: [&str; 29] = [
    "createglobaltable",
    "createtable",
    "deletebackup",
    "describebackup",
    "describeendpoints",
    "describeexport",
    "describeglobaltable",
    "describeglobaltablesettings",
    "describeimport",
    "describelimits",
    "describereservedcapacity",
    "describereservedcapacityofferings",
    "getabacstatus",
    "importtable",
    "injecterror",
    "listbackups",
    "listcontributorinsights",
    "listexports",
    "listglobaltables",
    "listimports",
    "liststreams",
    "listtables",
    "purchasereservedcapacityofferings",
    "restoretablefromawsbackup",
    "restoretablefrombackup",
    "updateabacstatus",
    "updateglobaltable",
    "updateglobaltablesettings",
    "updateglobaltableversion",
];

/// Actions by which a policy can let another account in.
const ACROSS: [&str; 18] = [
    "batchgetitem",
    "batchwriteitem",
    "conditioncheckitem",
    "deleteitem",
    "deletetable",
    "describestream",
    "describetable",
    "getitem",
    "getrecords",
    "getsharditerator",
    "listtagsofresource",
    "putitem",
    "query",
    "scan",
    "tagresource",
    "untagresource",
    "updateitem",
    "updatetable",
];

/// Is the resource's policy looked at for this action?
pub fn counts_for(action: &str) -> bool {
    !WITHOUT.contains(&name(action).as_str())
}

/// Can the resource's policy let another account do this?
pub fn reaches_across(action: &str) -> Reading {
    let name = name(action);
    if name.starts_with("partiql") {
        Reading::No
    } else if ACROSS.contains(&name.as_str()) {
        Reading::Yes
    } else {
        Reading::Unclear("whether the action can be allowed across accounts")
    }
}

fn name(action: &str) -> String {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_service_do_not_count() {
        assert!(counts_for("dynamodb:GetItem") && !counts_for("DynamoDB:LISTTABLES"));
        assert_eq!(reaches_across("dynamodb:GetItem"), Reading::Yes);
        assert_eq!(reaches_across("dynamodb:PartiQLSelect"), Reading::No);
        assert!(matches!(reaches_across("dynamodb:FutureAction"), Reading::Unclear(_)));
    }
}
