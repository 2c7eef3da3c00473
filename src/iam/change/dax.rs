//! DAX: a cluster answers for the tables behind it, and none of its answers is recorded.

use std::borrow::Cow;

use super::event::Event;
use super::{Draft, Kind, Needs};

/// Is a DAX event a change?
pub(super) fn is_change(name: &str) -> bool {
    kind(name).is_some()
}

fn kind(name: &str) -> Option<Kind> {
    use Needs::Nothing;
    Some(match name {
        "CreateCluster" => (Nothing, "DAX cluster {clusterName} created in subnet group {subnetGroupName}"),
        "UpdateCluster" => (Nothing, "DAX cluster {clusterName} changed"),
        "DeleteCluster" => (Nothing, "DAX cluster {clusterName} deleted"),
        "IncreaseReplicationFactor" => (Nothing, "nodes added to DAX cluster {clusterName}"),
        "DecreaseReplicationFactor" => (Nothing, "nodes taken from DAX cluster {clusterName}"),
        "CreateSubnetGroup" => (Nothing, "DAX subnet group {subnetGroupName} created"),
        "UpdateSubnetGroup" => (Nothing, "DAX subnet group {subnetGroupName} changed"),
        "DeleteSubnetGroup" => (Nothing, "DAX subnet group {subnetGroupName} deleted"),
        "TagResource" => (Nothing, "DAX cluster {resourceName} tagged"),
        "UntagResource" => (Nothing, "tags of DAX cluster {resourceName} removed"),
        _ => return None,
    })
}

/// Reads a DAX event.
pub(super) fn change(event: &Event<'_>) -> Option<Draft> {
    let mut draft = Draft::new(event, kind(event.name)?);
    let request = event.request();
    let name = request.text("clusterName");
    draft.target(name.and_then(|name| event.arn("dax", &format!("cache/{name}"))));
    for key in ["resourceName", "iamRoleArn"] {
        draft.target(request.text(key).map(Cow::into_owned));
    }
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::super::sample::change_of;

    #[test]
    fn clusters_and_their_subnets_count() {
        let request = r#"{"clusterName":"c","iamRoleArn":"arn:aws:iam::111122223333:role/dax"}"#;
        let change = change_of("dax.amazonaws.com", "CreateCluster", request);
        let resources = change.map(|change| change.resources).unwrap_or_default();
        assert_eq!(
            resources,
            ["arn:aws:dax:eu-west-1:111122223333:cache/c", "arn:aws:iam::111122223333:role/dax"]
        );
        assert!(change_of("dax.amazonaws.com", "UpdateSubnetGroup", "{}").is_some());
        assert_eq!(change_of("dax.amazonaws.com", "RebootNode", request), None);
    }
}
